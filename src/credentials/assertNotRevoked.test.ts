import { unsignedToken } from '../__testUtils__/unsignedToken';
import { TokenCache } from './TokenCache';
import { Refusal } from '../decision/Refusal';
import {
  assertNotRevoked,
  isRevokedByClaims,
  isSessionRevoked,
} from './assertNotRevoked';
import { Token } from './token';
import type { VerifiedCredential } from './verifyCredential';
import type { Revocations } from '../revocation/Revocations';

const session = { sub: 'user:default/a', iat: 1, exp: 2_000_000_000 };
const ended = { ...session, sub: 'user:default/ended' };
const revocations = {
  isLoaded: true,
  isRevoked: ({ sub }) => sub === ended.sub,
} as Revocations;
const notLoaded = { ...revocations, isLoaded: false } as Revocations;

/** Returns a verified token of a user; of a service for `undefined`. */
function verifiedOf(claims: object | undefined): VerifiedCredential {
  const text = claims ? unsignedToken('vnd.backstage.user', claims) : 'static';
  return { token: new Token(text) } as VerifiedCredential;
}

describe('assertNotRevoked', () => {
  it.each([
    ['a session', session, revocations],
    ['a service', undefined, revocations],
    ['a service, with no list', undefined, notLoaded],
  ])('passes %s', (_, userToken, list) => {
    const judge = () => assertNotRevoked(verifiedOf(userToken), list);
    expect(judge).not.toThrow();
  });

  it.each([
    ['a revoked session', ended, revocations, Refusal.revoked],
    ['a revoked session, with no list', ended, notLoaded, Refusal.revoked],
    [
      'a session, with no list',
      session,
      notLoaded,
      Refusal.revocationsUnavailable,
    ],
    ['no session', { sub: 'x' }, revocations, Refusal.invalid.malformed],
  ])('refuses %s', (_, userToken, list, refusal) => {
    const judge = () => assertNotRevoked(verifiedOf(userToken), list);
    expect(judge).toThrow(refusal);
  });

  it('refuses a revoked session with its subject, and shares the error', () => {
    let refused!: Refusal;
    try {
      assertNotRevoked(verifiedOf(ended), revocations);
    } catch (error) {
      refused = error as Refusal;
    }
    expect(refused).toBeInstanceOf(Refusal);
    expect(refused.subject).toBe(ended.sub);
    expect(refused.error).toBe(Refusal.revoked.error);
    expect(Refusal.revoked.subject).toBeUndefined();
  });
});

describe('isRevokedByClaims', () => {
  const limited = unsignedToken('vnd.backstage.limited-user', ended);

  it.each([
    ['no token', undefined, false],
    ['an empty one', '', false],
    ['what is no JWT', 'static', false],
    ['a session', unsignedToken('vnd.backstage.user', session), false],
    ['a revoked session', unsignedToken('vnd.backstage.user', ended), true],
    ['its limited token', limited, true],
    [
      'a service that acts for it',
      unsignedToken('vnd.backstage.plugin', { sub: 'catalog', obo: limited }),
      true,
    ],
    [
      'a service of that name',
      unsignedToken('vnd.backstage.plugin', ended),
      false,
    ],
    ['a token of another kind', unsignedToken('at+jwt', ended), false],
  ])('is correct for %s', (_, token, expected) => {
    const tokens = new TokenCache({ ttlMs: 30_000 });
    expect(isRevokedByClaims(token, { tokens, revocations })).toBe(expected);
  });
});

describe('isSessionRevoked', () => {
  it.each([
    ['no session', undefined, false],
    ['a session', session, false],
    ['a revoked session', ended, true],
  ])('is correct for a token of %s', (_, claimed, expected) => {
    expect(isSessionRevoked({ session: claimed }, revocations)).toBe(expected);
  });
});
