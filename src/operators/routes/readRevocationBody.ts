import { check, isObject, readInstant } from '../../settings/read/values';
import {
  CLOCK_SKEW_SECONDS,
  LONGEST_SESSION_SECONDS,
  now,
  Revocation,
  userKey,
} from '../../gate/sessions/Revocation';
import { DAY_MS } from '../../gate/util/time';
import { isFullEntityRef, isStorableSub } from '../../settings/entityRef';

/**
 * Reads the body of a `POST` of revocations.
 *
 * @returns one revocation, or the user whose sessions are to end, in lower case. `until` is the second, since the epoch, up to which
 * tokens that are yet to be issued are refused, too.
 * @throws InputError that names the field
 */
export function readRevocationBody(body: unknown) {
  check(isObject(body), 'The body must be a JSON object with userEntityRef');
  const { userEntityRef, until, ...others } = body;
  if (userEntityRef === undefined) {
    return { revocation: readRevocation(body) };
  }
  check(
    isFullEntityRef(userEntityRef),
    'userEntityRef must be a full entity reference, such as user:default/jane',
  );
  rejectUnknown(others);
  return { userEntityRef: userKey(userEntityRef), until: readUntil(until) };
}

function readUntil(value: unknown): number | undefined {
  const instant = readInstant(value, 'until');
  if (instant === undefined) {
    return undefined;
  }
  // Such a sign-out can't be taken back. By its end, the account is to be closed at the identity provider.
  const latest = Date.now() + DAY_MS;
  check(
    +instant > Date.now() && +instant <= latest,
    `until must be in the future, at most 24 hours from now: write ${toInstant(Math.floor(latest / 1000))} or earlier`,
  );
  return Math.ceil(+instant / 1000);
}

/** Formats seconds since the epoch. */
export function toInstant(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
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
