import { NotAllowedError } from '@backstage/errors';
import { createVerification } from '../__testUtils__/createVerification';
import { unsignedToken } from '../__testUtils__/unsignedToken';
import type { Policy } from '../policy/Policy';
import type { Revocations } from '../revocation/Revocations';
import { isOfRevokedSession } from './isOfRevokedSession';

const NOW = Math.floor(Date.now() / 1000);
const ISSUER = 'https://backstage.example.com/api/auth';
const sub = 'user:default/ended';
const claims = { sub, iat: NOW, exp: NOW + 3600 };

const full = unsignedToken('vnd.backstage.user', { iss: ISSUER, ...claims });
const limited = unsignedToken('vnd.backstage.limited-user', claims);
const acting = unsignedToken('vnd.backstage.plugin', {
  sub: 'search',
  obo: limited,
});
const live = unsignedToken('vnd.backstage.user', {
  iss: ISSUER,
  ...claims,
  sub: 'user:default/live',
});
const principal = { type: 'user', userEntityRef: sub };

function create() {
  const verification = createVerification(ISSUER);
  const { plugin, services, tokens } = verification;
  tokens.set(full, principal);
  tokens.set(limited, principal);
  tokens.set(acting, { ...principal, actor: { subject: 'plugin:search' } });
  const revocations = {
    isRevoked: session => session.sub === sub,
  } as Revocations;
  const isRevoked = (token: string | undefined) =>
    isOfRevokedSession(
      token,
      plugin,
      { config: { issuers: [] } } as unknown as Policy,
      { ...services, revocations },
    );
  return { ...verification, verification, isRevoked };
}

describe('isOfRevokedSession', () => {
  it.each([
    ['the full token', full],
    ['the limited token', limited],
    ['a service that acts for the user', acting],
  ])('is true for %s of a revoked session', async (_, token) => {
    expect(await create().isRevoked(token)).toBe(true);
  });

  it.each([
    ['no token', undefined],
    ['no JWT', 'static'],
    ['a session that is not revoked', live],
  ])('is false at once for %s, which is not verified', (_, token) => {
    const { asked, isRevoked } = create();
    expect(isRevoked(token)).toBe(false);
    expect(asked).toEqual([]);
  });

  it.each([
    ['is forged', undefined],
    ['is restricted to other plugins', new NotAllowedError('Not here')],
  ])('is false for a token of the session that %s', async (_, error) => {
    const { isRevoked, tokens } = create();
    if (error) {
      tokens.set(full, error);
    } else {
      tokens.delete(full);
    }
    expect(await isRevoked(full)).toBe(false);
  });

  it('rejects while the keys can not be had', async () => {
    const { isRevoked, verification } = create();
    verification.tokens.clear();
    verification.hasKeys = false;
    await expect(isRevoked(full)).rejects.toMatchObject({
      reason: 'keys-unavailable',
    });
  });

  it('rejects with an unexpected error, whatever properties that has', async () => {
    const { isRevoked, verification } = create();
    const error = Object.assign(new Error('unexpected'), { isFinal: true });
    verification.userKeysStarted = Promise.reject(error);
    await expect(isRevoked(full)).rejects.toBe(error);
  });
});
