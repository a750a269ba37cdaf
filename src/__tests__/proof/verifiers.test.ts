import { IncomingMessage, ServerResponse } from 'node:http';
import express from 'express';
import {
  createGateServices,
  ISSUER,
} from '../__testUtils__/createGateServices';
import { unsignedToken } from '../__testUtils__/unsignedToken';
import { createGate } from '../../gate/createGate';
import { Refusal } from '../../gate/Refusal';
import { PLACES } from './states';
import { placeOfSession, tokenAt, VERIFIED } from './tokens';

// The rows that depend on an earlier request, or on what other plugins make of a token.

const COOKIE_ENDPOINT = '/here/.backstage/auth/v1/cookie';
const USER = { type: 'user', userEntityRef: 'user:default/user' };
const serviceOf = (subject: string) => ({ type: 'service', subject });
const KEYLESS = Refusal.because('keys-unavailable');
const NEW_KEY = Refusal.because('keys-unavailable', 'new-key');
const credentialsOf = (principal: object) => async () => ({ principal });

/** Creates a gate in front of the plugins `here` and `search`, and returns what it records of a request. */
function createScene() {
  const revoked: string[] = [];
  const gate = createGateServices({
    installed: ['here', 'auth', 'search'],
    replaced: {
      revocations: {
        isLoaded: true,
        isRevoked: () => false,
        revoke: async (session: { exp: number }) => {
          revoked.push(placeOfSession(session));
          return true;
        },
      } as never,
    },
  });
  gate.tokens = new Map(VERIFIED);
  gate.policy = {
    allow: [{ plugin: 'here', path: '/open', methods: ['GET'] }],
  };
  const app = express();
  app.use(
    '/api/:gatedPluginId',
    createGate(gate.services, { guardServerOf: () => {} }),
  );
  const send = async (target: string, headers: object, method = 'GET') => {
    revoked.length = 0;
    gate.asked.length = 0;
    const req = {
      method,
      url: `/api${target}`,
      headers: { ...headers },
      rawHeaders: Object.entries(headers).flat(),
      socket: {},
    } as unknown as IncomingMessage;
    await new Promise(resolve => {
      const res = new ServerResponse(req);
      Reflect.apply(app as never, undefined, [req, res, resolve]);
    });
    return String(gate.decided.at(-1)!.decision.reason);
  };
  return Object.assign(gate, { revoked, send });
}

const DAY = 86_400;
const now = () => Math.floor(Date.now() / 1000);

/** Makes a token that no kind of the states has. */
const tokenOf = (typ: string, claims: object) =>
  unsignedToken(typ, { iat: now(), exp: now() + DAY, ...claims });
const bearer = (text: string) => ({ authorization: `Bearer ${text}` });

afterEach(() => jest.restoreAllMocks());

describe('[P111] T3', () => {
  const user = tokenAt('user', 'authorization');

  it.each([
    ['invalid-token', 'unknown', undefined],
    ['restricted', 'restricted', VERIFIED.get('restricted-1')],
  ])(
    'a token is refused for a second as %s, by the same plugin alone',
    async (reason, text, error) => {
      const { asked, send, tokens } = createScene();
      const from = performance.now();
      const clock = jest.spyOn(performance, 'now').mockReturnValue(from);
      if (error) {
        tokens.set(text, error);
      }
      expect(await send('/here/data', bearer(text))).toBe(reason);
      expect(asked).toContain('here');
      tokens.set(text, serviceOf('external'));
      clock.mockReturnValue(from + 999);
      expect(await send('/here/data', bearer(text))).toBe(reason);
      expect(asked).toEqual([]);
      expect(await send('/search/data', bearer(text))).toBe('bearer');
      clock.mockReturnValue(from + 1_001);
      expect(await send('/here/data', bearer(text))).toBe('bearer');
    },
  );

  it('a token is refused for a second as what it was sent as', async () => {
    const { send, tokens } = createScene();
    tokens.delete(user);
    const cookie = { cookie: `token=${user}` };
    expect(await send('/here/data', cookie)).toBe('invalid-token');
    tokens.set(user, USER);
    expect(await send('/here/data', cookie)).toBe('invalid-token');
    expect(await send('/here/data', bearer(user))).toBe('bearer');
  });

  it.each([
    ['keys-unavailable', new Error('gone'), KEYLESS],
    ['invalid-token', new TypeError('Unexpected'), undefined],
  ])('a failure that may end at once is not kept: %s', async (...row) => {
    const [reason, error, missing] = row;
    const { send, services, tokens } = createScene();
    const { hasKeysOf } = services.keyEndpoints;
    tokens.set(user, error);
    services.keyEndpoints.hasKeysOf = async (...args) => {
      if (missing) {
        throw missing;
      }
      return hasKeysOf(...args);
    };
    expect(await send('/here/data', bearer(user))).toBe(reason);
    tokens.set(user, USER);
    expect(await send('/here/data', bearer(user))).toBe('bearer');
  });
});

describe('[P111] a sign-out asks other plugins about a token', () => {
  const text = tokenAt('user', 'cookie');
  const signOut = { cookie: `token=${text}` };

  it.each([
    ['T6', KEYLESS, 0, 'sign-out'],
    ['T8', NEW_KEY, 0, 'sign-out'],
    ['T6, at most ten times a second', KEYLESS, 1, 'keys-unavailable'],
    ['T9', undefined, 0, 'sign-out'],
  ])('%s', async (row, missing, wait, reason) => {
    const { plugins, revoked, send, services, tokens } = createScene();
    tokens.delete(text);
    services.keyEndpoints.hasKeysOf = async () => {
      if (missing) {
        throw missing;
      }
      return true;
    };
    services.signOutsByOthers.take = () => wait;
    plugins.register({
      ...plugins.installed('search')!,
      id: 'search',
      verifier: { look: () => undefined, find: credentialsOf(USER) },
    } as never);
    expect(await send(COOKIE_ENDPOINT, signOut, 'DELETE')).toBe(reason);
    expect(revoked).toEqual(wait === 0 && row !== 'T9' ? ['cookie'] : []);
    // A token that authenticates is this plugin's to verify.
    const other = missing ? 'keys-unavailable' : 'invalid-token';
    expect(await send('/here/data', signOut)).toBe(other);
  });
});

it('[P111] a sign-out ends the sessions of up to five cookies of a conflict', async () => {
  const { revoked, send } = createScene();
  const cookies = PLACES.map(place => `token=${tokenAt('user', place)}`);
  const headers = { cookie: ['token.0=a', ...cookies].join('; ') };
  expect(await send(COOKIE_ENDPOINT, headers, 'DELETE')).toBe('sign-out');
  expect(revoked).toEqual(PLACES.slice(0, 5));
});

describe('[P111] T10', () => {
  it('discovery names the issuer, and is asked once a second', async () => {
    const { plugins, send } = createScene();
    const from = performance.now();
    const clock = jest.spyOn(performance, 'now').mockReturnValue(from);
    const user = bearer(tokenAt('user', 'authorization'));
    expect(await send('/here/data', user)).toBe('bearer');
    plugins.anyRegistered().discovery.getExternalBaseUrl = async id =>
      id === 'auth' ? 'moved' : ISSUER;
    clock.mockReturnValue(from + 999);
    expect(await send('/here/data', user)).toBe('bearer');
    clock.mockReturnValue(from + 1_000);
    expect(await send('/here/data', user)).toBe('untrusted-issuer');
  });

  it('a token without an issuer is not trusted', async () => {
    const { send, tokens } = createScene();
    const text = tokenOf('vnd.backstage.user', { sub: USER.userEntityRef });
    tokens.set(text, USER);
    expect(await send('/here/data', bearer(text))).toBe('untrusted-issuer');
  });
});

it('[P111] J0 where a handler may read a token of which nothing can be found out', async () => {
  const { send, services } = createScene();
  services.ownIssuer.trusts = async () => {
    throw new TypeError('Unexpected');
  };
  const user = bearer(tokenAt('user', 'authorization'));
  expect(await send('/here/open', user)).toBe('failed');
});

describe('[P111] the log has why a token does not verify', () => {
  const service = (aud: unknown) =>
    tokenOf('vnd.backstage.plugin', { sub: 'search', aud });

  it.each([
    ['signature', service('here'), true],
    ['signature', service(['other', 'HERE']), true],
    ['audience', service('other'), true],
    ['audience', service(undefined), true],
    ['unknown-key', service('here'), false],
    ['signature', tokenAt('jwks external', 'header'), true],
  ])('%s', async (detail, text, hasKeys) => {
    const { decided, send, services, tokens } = createScene();
    tokens.delete(text);
    services.keyEndpoints.hasKeysOf = async () => hasKeys;
    expect(await send('/here/data', bearer(text))).toBe('invalid-token');
    expect(decided[0].decision.detail).toBe(detail);
  });

  it.each([
    ['vnd.backstage.plugin', { aud: 'here' }],
    [
      'vnd.backstage.plugin',
      {
        aud: 'here',
        exp: now() + 9 * DAY,
        obo: tokenAt('limited user', 'header'),
      },
    ],
  ])('expired meanwhile: %s', async (typ, claims) => {
    const { decided, send, services } = createScene();
    services.keyEndpoints.hasKeysOf = async () => {
      jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 2 * DAY * 1_000);
      return true;
    };
    const text = tokenOf(typ, { sub: 'search', ...claims });
    expect(await send('/here/data', bearer(text))).toBe('invalid-token');
    expect(decided[0].decision.detail).toBe('expired');
  });
});

describe('[P111] auth', () => {
  const user = tokenAt('user', 'authorization');
  const service = tokenAt('service', 'authorization');
  const cookie = { cookie: `token=${user}` };
  const authenticateAs = (
    { plugins }: ReturnType<typeof createScene>,
    find: (...args: any[]) => Promise<object>,
  ) =>
    plugins.register({
      ...plugins.installed('here')!,
      id: 'here',
      verifier: { look: () => undefined, find },
    } as never);

  it('gets the text of a token, and gives limited access to that of Backstage’s own cookie alone', async () => {
    const scene = createScene();
    const asked: unknown[] = [];
    authenticateAs(scene, async ({ text }, options) => {
      asked.push([text, options]);
      return { principal: USER };
    });
    const userCookie = { cookie: `backstage-auth=${user}` };
    await scene.send('/here/data', bearer(user));
    await scene.send('/here/data', cookie);
    await scene.send('/here/static/data', userCookie);
    expect(asked).toEqual([
      [user, { allowLimitedAccess: false }],
      [user, { allowLimitedAccess: false }],
      [user, { allowLimitedAccess: true }],
    ]);
  });

  it.each([
    ['bearer', 'a user', bearer(user), USER],
    ['invalid-token', 'nobody', bearer(user), { type: 'none' }],
    ['invalid-token', 'a user of no token', bearer('a'), USER],
    ['cookie', 'a user', cookie, USER],
    ['invalid-token', 'a service', cookie, serviceOf('a')],
    ['invalid-token', 'an actor', cookie, { ...USER, actor: {} }],
    ['token-ended', 'an external one', bearer('a'), serviceOf('my-plugin:a')],
    ['bearer', 'one that is no plugin', bearer('a'), serviceOf('my-plugin:b')],
    ['restricted', 'one without entry', bearer('a'), serviceOf('my-plugin:c')],
    ['bearer', 'a plugin', bearer(service), serviceOf('plugin:b')],
    // By R12, the text of a subject makes no plugin of a token.
    ['restricted', 'a false plugin', bearer('a'), serviceOf('plugin:b')],
    ['restricted', 'an odd plugin', bearer(service), serviceOf('my-plugin:c')],
  ])('leads to %s by %s', async (reason, _, headers, principal) => {
    const scene = createScene();
    scene.policy = {
      tokens: [
        { subject: 'my-plugin:a', only: 'all', until: 1 },
        { subject: 'my-plugin:b', only: 'all' },
      ],
    } as never;
    authenticateAs(scene, credentialsOf(principal));
    expect(await scene.send('/here/data', headers)).toBe(reason);
  });
});
