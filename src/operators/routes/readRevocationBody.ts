import { check, isObject, readInstant } from '../../settings/read/values';
import {
  CLOCK_SKEW_SECONDS,
  LONGEST_SESSION_SECONDS,
  now,
  Revocation,
  userKey,
} from '../../gate/sessions/Revocation';
import { isFullEntityRef, isStorableSub } from '../../settings/entityRef';

const LONGEST_LOCK_DAYS = 90;

/**
 * Reads the body of a `POST` of revocations.
 *
 * @returns one revocation, or the user whose sessions are to end, in lower case. `lockedUntil` is the end of a lock, in seconds since
 * the epoch; `undefined` locks nobody out.
 * @throws InputError that names the field
 */
export function readRevocationBody(body: unknown) {
  check(isObject(body), 'The body must be a JSON object with userEntityRef');
  const { userEntityRef, lockedUntil, ...others } = body;
  if (userEntityRef === undefined) {
    return { revocation: readRevocation(body) };
  }
  const user = readUserEntityRef(userEntityRef);
  rejectUnknown(others);
  return { userEntityRef: user, lockedUntil: readLockedUntil(lockedUntil) };
}

/** @throws InputError if a value is no full entity reference */
export function readUserEntityRef(value: unknown): string {
  check(
    isFullEntityRef(value),
    'userEntityRef must be a full entity reference, such as user:default/jane',
  );
  return userKey(value);
}

function readLockedUntil(value: unknown): number | undefined {
  const instant = readInstant(value, 'lockedUntil');
  if (instant === undefined) {
    return undefined;
  }
  const seconds = Math.ceil(+instant / 1000);
  check(
    seconds > now() && seconds <= now() + LONGEST_LOCK_DAYS * 24 * 60 * 60,
    `lockedUntil must be in the future, at most ${LONGEST_LOCK_DAYS} days from now`,
  );
  return seconds;
}

function readRevocation(body: Record<string, unknown>): Revocation {
  const { sub, iat, exp, scope = 'session', ...others } = body;
  check(sub !== undefined, 'userEntityRef is missing');
  check(
    typeof sub === 'string' && isStorableSub(sub),
    'sub must be text without control characters',
  );
  // The clock of the backend that posts may be ahead, and the issuer's ahead of that.
  const latestIat = now() + 2 * CLOCK_SKEW_SECONDS;
  check(
    isSeconds(iat) && iat <= latestIat,
    'iat must be a number of seconds in the past',
  );
  check(
    isSeconds(exp) && exp >= iat && exp <= latestIat + LONGEST_SESSION_SECONDS,
    'exp must be a number of seconds after iat, at most a day from now',
  );
  check(
    scope === 'session' || scope === 'user',
    'scope must be session or user',
  );
  rejectUnknown(others);
  return { scope, sub, iat, exp };
}

function isSeconds(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function rejectUnknown(others: object) {
  const [unknown] = Object.keys(others);
  check(unknown === undefined, `${unknown} is not known`);
}
