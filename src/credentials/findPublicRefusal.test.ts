import { NotAllowedError } from '@backstage/errors';
import { createVerification } from '../__testUtils__/createVerification';
import { unsignedToken } from '../__testUtils__/unsignedToken';
import type { Policy } from '../policy/Policy';
import type { Revocations } from '../revocation/Revocations';
import { findPublicRefusal } from './findPublicRefusal';

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
const foreign = unsignedToken('vnd.backstage.user', {
  ...claims,
  iss: 'https://staging.example.com/api/auth',
});
const principal = { type: 'user', userEntityRef: sub };

function create() {
  const verification = createVerification(ISSUER);
  const { plugin, services, tokens } = verification;
  tokens.set(full, principal);
  tokens.set(limited, principal);
  tokens.set(acting, { ...principal, actor: { subject: 'plugin:search' } });
  tokens.set(live, { type: 'user', userEntityRef: 'user:default/live' });
  tokens.set(foreign, principal);
  const revocations = {
    isRevoked: (session: { sub: string }) => session.sub === sub,
    isLoaded: true,
  };
  const find = (token: string | undefined) =>
    findPublicRefusal(
      token,
      plugin,
      { config: { issuers: [] } } as unknown as Policy,
      { ...services, revocations: revocations as unknown as Revocations },
    );
  return { ...verification, verification, revocations, find };
}

describe('[P10] findPublicRefusal', () => {
  it.each([
    ['the full token', full],
    ['the limited token', limited],
    ['a service that acts for the user', acting],
  ])('refuses %s of a revoked session', async (_, token) => {
    expect(await create().find(token)).toMatchObject({
      reason: 'revoked',
      subject: sub,
    });
  });

  it('passes a forged token of a new key, whatever the session that it claims', async () => {
    const { find, tokens, verification } = create();
    tokens.clear();
    verification.isKeyNew = true;
    expect([await find(full), await find(live)]).toEqual([
      undefined,
      undefined,
    ]);
  });

  it.each([
    ['no token', undefined],
    ['an empty token', ''],
    ['no JWT', 'static'],
    ['no JWT, with other characters', 'static=='],
    [
      'a service, with other characters',
      `${unsignedToken('vnd.backstage.plugin', { sub: 'search' })}==`,
    ],
    ['a session that is not revoked', live],
  ])('passes %s at once, and does not verify it', (_, token) => {
    const { asked, find } = create();
    expect(find(token)).toBeUndefined();
    expect(asked).toEqual([]);
  });

  it.each([
    ['is forged', undefined],
    ['is restricted to other plugins', new NotAllowedError('Not here')],
  ])('passes a token of the session that %s', async (_, error) => {
    const { find, tokens } = create();
    if (error) {
      tokens.set(full, error);
    } else {
      tokens.delete(full);
    }
    expect(await find(full)).toBeUndefined();
  });

  it.each([
    ['a revoked session', full],
    ['a session that is not revoked', live],
    ['a limited token', limited],
    ['a service that acts for the user', acting],
  ])(
    'refuses other characters behind %s, whatever the session',
    async (_, token) => {
      const { asked, find } = create();
      const refusal = await find(`${token}==`);
      expect([refusal?.reason, refusal?.subject]).toEqual([
        'invalid-token',
        undefined,
      ]);
      expect(asked).toEqual([]);
    },
  );

  it('refuses a token without `iat` if it verifies, since it belongs to no session', async () => {
    const { find } = create();
    const token = unsignedToken('JWT', {
      iss: ISSUER,
      aud: 'backstage',
      sub: 'user:default/live',
      exp: NOW + 3600,
    });
    expect(await find(token)).toBeUndefined();
    const other = create();
    other.tokens.set(token, {
      type: 'user',
      userEntityRef: 'user:default/live',
    });
    expect(await other.find(token)).toMatchObject({ reason: 'invalid-token' });
  });

  it('[P6] refuses a user of another deployment that has the same keys', async () => {
    expect(await create().find(foreign)).toMatchObject({
      reason: 'untrusted-issuer',
      subject: sub,
    });
  });

  it('passes a user of another deployment that has other keys', async () => {
    const { find, tokens } = create();
    tokens.delete(foreign);
    expect(await find(foreign)).toBeUndefined();
  });

  it('[P7] refuses any session with 503 while the list is not loaded', async () => {
    const { find, revocations, tokens } = create();
    revocations.isLoaded = false;
    expect(await find(live)).toMatchObject({
      reason: 'revocations-unavailable',
    });
    expect(await find(full)).toMatchObject({ reason: 'revoked' });
    expect(find('static')).toBeUndefined();
    tokens.clear();
    expect(await find(live)).toBeUndefined();
  });

  it('passes a session once the list is loaded, also while it verifies the token', async () => {
    const { find, revocations } = create();
    revocations.isLoaded = false;
    const found = find(live);
    revocations.isLoaded = true;
    expect(await found).toBeUndefined();
  });

  it('passes another system’s token while this one has no keys', async () => {
    const { find, revocations, verification } = create();
    verification.tokens.clear();
    verification.hasKeys = false;
    const elsewhere = unsignedToken('vnd.backstage.user', {
      ...claims,
      sub: 'user:default/live',
      iss: 'https://staging.example.com/api/auth',
    });
    expect(await find(elsewhere)).toBeUndefined();
    revocations.isLoaded = false;
    await expect(find(elsewhere)).rejects.toMatchObject({
      reason: 'keys-unavailable',
    });
  });

  it('rejects while the keys can not be had', async () => {
    const { find, verification } = create();
    verification.tokens.clear();
    verification.hasKeys = false;
    await expect(find(full)).rejects.toMatchObject({
      reason: 'keys-unavailable',
    });
  });

  it('rejects with an unexpected error, whatever properties that has', async () => {
    const { find, verification } = create();
    const error = Object.assign(new Error('unexpected'), { isFinal: true });
    verification.userKeysStarted = Promise.reject(error);
    await expect(find(full)).rejects.toBe(error);
  });
});
