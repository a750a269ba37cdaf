import { check, isObject } from '../config/values';
import {
  CLOCK_SKEW_SECONDS,
  LONGEST_SESSION_SECONDS,
  now,
  Revocation,
} from '../revocation/Revocation';
import { isFullEntityRef, isStorableSub, userKey } from '../util/entityRef';

/**
 * Reads the body of a `POST` of revocations.
 *
 * @returns the user whose sessions are to end, in lower case, or one revocation
 * @throws InputError that names the field
 */
export function readRevocationBody(
  body: unknown,
): { userEntityRef: string } | { revocation: Revocation } {
  check(isObject(body), 'The body must be a JSON object with userEntityRef');
  return body.userEntityRef === undefined
    ? { revocation: readRevocation(body) }
    : { userEntityRef: readUserEntityRef(body) };
}

function readUserEntityRef(body: Record<string, unknown>): string {
  const { userEntityRef, ...others } = body;
  check(
    isFullEntityRef(userEntityRef),
    'userEntityRef must be a full entity reference, such as user:default/jane',
  );
  rejectUnknown(others);
  return userKey(userEntityRef);
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
