import { InputError } from '@backstage/errors';
import { isFullEntityRef, MAX_REF_LENGTH } from '../util/entityRef';
import {
  CLOCK_SKEW_SECONDS,
  LONGEST_SESSION_SECONDS,
  now,
  Revocation,
  userKey,
} from '../revocation/Revocation';

// No control characters and no lone surrogates: a database may not store them.
const SUBJECT = /^[^\p{Cc}\p{Cs}]+$/u;

/**
 * Reads the body of a `POST` of revocations.
 *
 * @returns the user whose sessions are to end, in lower case, or one revocation
 * @throws InputError that names the field
 */
export function readRevocationBody(
  value: unknown,
): { userEntityRef: string } | { revocation: Revocation } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InputError('The body must be a JSON object with userEntityRef');
  }
  const body = value as Record<string, unknown>;
  return body.userEntityRef === undefined
    ? { revocation: readRevocation(body) }
    : { userEntityRef: readUserEntityRef(body) };
}

function readUserEntityRef(body: Record<string, unknown>): string {
  const { userEntityRef, ...others } = body;
  if (!isFullEntityRef(userEntityRef)) {
    throw new InputError(
      'userEntityRef must be a full entity reference, such as user:default/jane',
    );
  }
  rejectUnknown(others);
  return userKey(userEntityRef);
}

function readRevocation(body: Record<string, unknown>): Revocation {
  const { sub, iat, exp, scope = 'session', ...others } = body;
  if (sub === undefined) {
    throw new InputError('userEntityRef is missing');
  }
  if (
    typeof sub !== 'string' ||
    sub.length > MAX_REF_LENGTH ||
    !SUBJECT.test(sub)
  ) {
    throw new InputError('sub must be text without control characters');
  }
  // The clock of the backend that posts may be ahead, and the issuer's ahead of that.
  const latestIat = now() + 2 * CLOCK_SKEW_SECONDS;
  if (!isSeconds(iat) || iat > latestIat) {
    throw new InputError('iat must be a number of seconds in the past');
  }
  if (
    !isSeconds(exp) ||
    exp < iat ||
    exp > latestIat + LONGEST_SESSION_SECONDS
  ) {
    throw new InputError(
      'exp must be a number of seconds after iat, at most a day from now',
    );
  }
  if (scope !== 'session' && scope !== 'user') {
    throw new InputError('scope must be session or user');
  }
  rejectUnknown(others);
  return { scope, sub, iat, exp };
}

function isSeconds(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function rejectUnknown(others: object) {
  for (const key of Object.keys(others)) {
    throw new InputError(`${key} is not known`);
  }
}
