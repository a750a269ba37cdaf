import { ServerResponse } from 'node:http';
import { NotAllowedError } from '@backstage/errors';
import express, { Response } from 'express';
import { createVerification } from '../__testUtils__/createVerification';
import { unsignedToken } from '../__testUtils__/unsignedToken';
import { GateCookie } from '../cookie/GateCookie';
import { Refusal } from '../decision/Refusal';
import type { Revocation } from '../revocation/Revocation';
import type { ExpressRequest } from './GateRequest';
import { SignOut } from './SignOut';

const NOW = Math.floor(Date.now() / 1000);
const ISSUER = 'https://backstage.example.com/api/auth';
const CLEARED = ['token=; Expires=Thu, 01 Jan 1970 00:00:00 GMT'];

const sessionOf = (name: string) => ({
  sub: `user:default/${name}`,
  iat: NOW,
  exp: NOW + 3600,
});
const tokenOf = (name: string) =>
  unsignedToken('vnd.backstage.user', { iss: ISSUER, ...sessionOf(name) });
const a = tokenOf('a');
const b = tokenOf('b');
const revocationOf = (name: string) => ({
  scope: 'session',
  ...sessionOf(name),
});
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const cookie = (token: string) => ({ cookie: `x=1; token=${token}` });

function create(
  options: {
    hasCookie?: boolean;
    scope?: 'session' | 'user';
    offlineSessions?: string;
  } = {},
) {
  const { hasCookie = true, scope = 'session', offlineSessions } = options;
  const verification = createVerification(ISSUER);
  for (const [name, token] of Object.entries({ a, b })) {
    const { sub } = sessionOf(name);
    verification.tokens.set(token, { type: 'user', userEntityRef: sub });
  }
  verification.tokens.set('static', { type: 'service', subject: 'ci' });
  verification.tokens.set('restricted', new NotAllowedError('Not here'));

  const state = {
    isCrossSite: false,
    isStoreGone: false,
    isUserStored: true,
    isLoaded: true,
    /** The subjects whose sessions were revoked before. */
    revokedBefore: [] as string[],
    revoked: [] as Revocation[],
    signedOut: [] as unknown[],
  };
  const signOutUser = jest.fn(async (sub: string) => ({
    revocation: { scope: 'user', sub, iat: NOW, exp: NOW } as const,
    isStored: state.isUserStored,
    offlineSessions: offlineSessions as never,
  }));
  const signOut = new SignOut({
    ...verification.services,
    cookie: hasCookie
      ? new GateCookie(
          { enabled: true, name: 'token', attributes: {} } as never,
          '[::1]',
        )
      : undefined,
    observer: {
      signedOut: (plugin, ended) => state.signedOut.push([plugin, ended]),
    },
    revocations: {
      get isLoaded() {
        return state.isLoaded;
      },
      isRevoked: ({ sub }: { sub: string }) =>
        state.revokedBefore.includes(sub),
      revoke: async (revocation: Revocation) => {
        state.revoked.push(revocation);
        if (state.isStoreGone) {
          throw new Error('gone');
        }
      },
    } as never,
    signOutUser,
  });

  const call = async (headers: object) => {
    const req = { headers } as never;
    const res: Response = Object.setPrototypeOf(
      new ServerResponse(req),
      express.response,
    );
    const request = {
      req,
      res,
      pluginId: 'hello',
      plugin: verification.plugin,
      policy: {
        config: { issuers: [], signOut: { scope, offlineSessions: 'end' } },
        isCrossSite: () => state.isCrossSite,
      },
      credential: 'none',
    } as unknown as ExpressRequest;
    const outcome = await signOut
      .end(request)
      .catch((error: Error) =>
        error instanceof Refusal ? error.reason : error,
      );
    res.writeHead(204);
    const cleared = res.getHeader('set-cookie');
    return { outcome, credential: request.credential, cleared };
  };
  return Object.assign(state, { call, signOutUser, verification });
}

describe('a sign-out call', () => {
  it.each([
    ['nothing', {}, [], 'none', false],
    ['the cookie', cookie(a), ['a'], 'cookie', true],
    ['a bearer', bearer(a), ['a'], 'bearer', true],
    ['both', { ...cookie(b), ...bearer(a) }, ['b', 'a'], 'bearer', true],
    [
      'a bearer that fails beside the cookie',
      { ...cookie(a), ...bearer('x') },
      ['a'],
      'cookie',
      true,
    ],
    [
      'a cookie that fails beside a bearer',
      { ...cookie('x'), ...bearer(a) },
      ['a'],
      'bearer',
      true,
    ],
    ['a cookie that fails', cookie('x'), [], 'none', false],
    [
      'cookies that conflict',
      { cookie: 'token=x; token=y' },
      [],
      'none',
      false,
    ],
    ['a restricted token', bearer('restricted'), [], 'none', false],
    // A service belongs to no session, and is a caller with a credential all the same.
    ['a service', bearer('static'), [], 'bearer', true],
  ])(
    'with %s revokes what it is about',
    async (_, headers, revoked, credential, hasCredential) => {
      const gate = create();
      const ended = await gate.call(headers);
      expect(ended).toEqual({
        outcome: hasCredential,
        credential,
        cleared: 'cookie' in headers ? CLEARED : undefined,
      });
      expect(gate.revoked).toEqual(revoked.map(revocationOf));
      expect(gate.signedOut).toEqual(
        revoked.map(name => [
          'hello',
          {
            scope: 'session',
            userEntityRef: `user:default/${name}`,
            isStored: true,
          },
        ]),
      );
      expect(gate.signOutUser).not.toHaveBeenCalled();
    },
  );

  it('has a valid credential only if one of its sessions was not revoked before', async () => {
    const gate = create();
    gate.revokedBefore = ['user:default/a'];
    expect((await gate.call(cookie(a))).outcome).toBe(false);
    const both = { ...cookie(b), ...bearer(a) };
    expect((await gate.call(both)).outcome).toBe(true);
    // The store may not have the earlier revocation.
    expect(gate.revoked).toEqual(['a', 'b', 'a'].map(revocationOf));
  });

  it('has no credential for a handler while the revocations are not loaded, but ends the session', async () => {
    const gate = create();
    gate.isLoaded = false;
    expect((await gate.call(cookie(a))).outcome).toBe(false);
    expect((await gate.call(bearer('static'))).outcome).toBe(true);
    expect(gate.revoked).toEqual([revocationOf('a')]);
  });

  it("has no credential for a handler with a user's token that has no session", async () => {
    const gate = create();
    const { tokens } = gate.verification;
    const { sub, exp } = sessionOf('a');
    const claims = { iss: ISSUER, sub, exp };
    const old = unsignedToken('vnd.backstage.user', claims);
    tokens.set(old, { type: 'user', userEntityRef: sub });
    const { credential, outcome } = await gate.call(bearer(old));
    expect([credential, outcome]).toEqual(['bearer', false]);
  });

  it('of another site may not use the cookie, and needs none for a bearer', async () => {
    const gate = create();
    gate.isCrossSite = true;
    expect(await gate.call(cookie(a))).toEqual({
      outcome: 'cross-site',
      credential: 'cookie',
      cleared: undefined,
    });
    expect((await gate.call({ cookie: 'token=x; token=y' })).outcome).toBe(
      'cross-site',
    );
    expect(gate.revoked).toEqual([]);
    expect((await gate.call(bearer(a))).outcome).toBe(true);
  });

  it('uses no cookie where the gate has none', async () => {
    const gate = create({ hasCookie: false });
    gate.isCrossSite = true;
    expect(await gate.call(cookie(a))).toEqual({
      outcome: false,
      credential: 'none',
      cleared: undefined,
    });
    expect((await gate.call(bearer(b))).outcome).toBe(true);
    expect(gate.revoked).toEqual([revocationOf('b')]);
  });
});

describe('a sign-out call that can not be judged now', () => {
  it('is refused for want of keys, and clears the cookie', async () => {
    const gate = create();
    gate.verification.hasKeys = false;
    expect(await gate.call(cookie(`${a}x`))).toEqual({
      outcome: 'keys-unavailable',
      credential: 'cookie',
      cleared: CLEARED,
    });
    expect(gate.revoked).toEqual([]);
  });

  it('keeps the cookie while the plugin starts, and asks no other plugin', async () => {
    const gate = create();
    const { verification } = gate;
    const principal = verification.tokens.get(a)!;
    const other = verification.createPlugin('other', new Map([[a, principal]]));
    verification.others = [other];
    verification.isStarting = true;
    expect(await gate.call(cookie(a))).toEqual({
      outcome: 'starting',
      credential: 'cookie',
      cleared: undefined,
    });
    expect(verification.asked).toEqual([]);
    expect(gate.revoked).toEqual([]);
  });

  it('fails with an unexpected error, whatever properties that has', async () => {
    const gate = create();
    const error = Object.assign(new Error('unexpected'), { isFinal: true });
    gate.verification.userKeysStarted = Promise.reject(error);
    expect(await gate.call(cookie(a))).toEqual({
      outcome: error,
      credential: 'cookie',
      cleared: undefined,
    });
  });
});

describe('a sign-out call for which a plugin has no keys', () => {
  /** Another plugin has cached the token. */
  const createWithOther = () => {
    const gate = create();
    const { verification } = gate;
    const principal = verification.tokens.get(a)!;
    const other = verification.createPlugin('other', new Map([[a, principal]]));
    verification.others = [other];
    verification.tokens.clear();
    verification.hasKeys = false;
    return gate;
  };
  let clock = 0;
  beforeEach(() => {
    clock = 1_000;
    jest.spyOn(performance, 'now').mockImplementation(() => clock);
  });
  afterEach(() => jest.restoreAllMocks());

  it('revokes the session of a token that another plugin verifies', async () => {
    const gate = createWithOther();
    expect(await gate.call(cookie(a))).toEqual({
      outcome: true,
      credential: 'cookie',
      cleared: CLEARED,
    });
    expect(gate.revoked).toEqual([revocationOf('a')]);
    expect(gate.verification.asked).toEqual(['hello', 'hello', 'other']);
  });

  it('asks the others for ten calls a second', async () => {
    const gate = createWithOther();
    const outcomes = [];
    for (let i = 0; i < 11; i += 1) {
      outcomes.push((await gate.call(bearer(a))).outcome);
    }
    expect(outcomes).toEqual([...Array(10).fill(true), 'keys-unavailable']);
    clock += 1_000;
    expect((await gate.call(bearer(a))).outcome).toBe(true);
  });
});

describe('a sign-out that is not in force everywhere', () => {
  it('is refused where the store is gone', async () => {
    const gate = create();
    gate.isStoreGone = true;
    expect(await gate.call(cookie(a))).toEqual({
      outcome: 'sign-out-not-stored',
      credential: 'cookie',
      cleared: CLEARED,
    });
    expect(gate.signedOut).toEqual([
      [
        'hello',
        {
          scope: 'session',
          userEntityRef: 'user:default/a',
          isStored: false,
        },
      ],
    ]);
  });

  it('is refused where one of two revocations is not stored', async () => {
    const gate = create({ scope: 'user' });
    gate.isUserStored = false;
    expect((await gate.call(cookie(a))).outcome).toBe('sign-out-not-stored');
  });

  it('is refused while OAuth clients keep their refresh tokens', async () => {
    const gate = create({ scope: 'user', offlineSessions: 'unreachable' });
    expect((await gate.call(cookie(a))).outcome).toBe('sign-out-incomplete');
  });
});

describe('a sign-out with the scope user', () => {
  it('ends all sessions of the user', async () => {
    const gate = create({ scope: 'user', offlineSessions: 'kept' });
    expect((await gate.call(cookie(a))).outcome).toBe(true);
    expect(gate.signOutUser.mock.calls).toEqual([
      ['user:default/a', { known: sessionOf('a'), offlineSessions: 'end' }],
    ]);
    const userEntityRef = 'user:default/a';
    expect(gate.signedOut).toEqual([
      ['hello', { scope: 'session', userEntityRef, isStored: true }],
      ['hello', { scope: 'user', userEntityRef, isStored: true }],
    ]);
  });

  it('ends only its own session if that was revoked before', async () => {
    const gate = create({ scope: 'user' });
    gate.revokedBefore = ['user:default/a'];
    await gate.call(cookie(a));
    expect(gate.signOutUser).not.toHaveBeenCalled();
    expect(gate.revoked).toEqual([revocationOf('a')]);
  });
});
