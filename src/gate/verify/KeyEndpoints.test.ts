import type { DiscoveryService } from '@backstage/backend-plugin-api';
import { Refusal } from '../Refusal';
import type { KeyAnswer } from './fetchKeyIds';
import { KeyEndpoints } from './KeyEndpoints';

const KEYS = ['key'];

/** Makes the plugins of a backend in which discovery finds addresses in one way. */
const pluginsAt = (getBaseUrl: DiscoveryService['getBaseUrl']) => ({
  anyRegistered: () => ({ discovery: { getBaseUrl } }) as never,
});

function create(
  answers: Record<string, KeyAnswer> = {},
  plugins = pluginsAt(async id => `http://${id}`),
) {
  const asked: string[] = [];
  const keyEndpoints = new KeyEndpoints(
    {
      logger: { warn: () => {} } as never,
      isKnown: async id => id === 'catalog',
      plugins,
    },
    async url => {
      const [, id] = url.match(/^http:\/\/([^/]*)\//)!;
      asked.push(id);
      return id in answers ? answers[id] : 'not-found';
    },
  );
  return {
    asked,
    answers,
    keyEndpoints,
    /** Returns the result for a service token of a plugin. */
    async fate(sub: unknown) {
      try {
        await keyEndpoints.assertCallerKnown({
          typ: 'vnd.backstage.plugin',
          sub: sub as string,
        });
        return 'verified';
      } catch (refusal) {
        const { detail, reason } = refusal as Refusal;
        return [reason, detail].filter(Boolean).join(', ');
      }
    },
  };
}

describe('[P13] KeyEndpoints', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: new Date('2026-06-01T00:00:00Z') });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('accepts other tokens without a check', () => {
    const { asked, keyEndpoints } = create();
    for (const token of [
      undefined,
      {},
      { typ: 'vnd.backstage.user', sub: 'x' },
    ]) {
      expect(keyEndpoints.assertCallerKnown(token)).toBeUndefined();
    }
    expect(asked).toEqual([]);
  });

  it('does not probe known plugins', async () => {
    const { asked, fate } = create();
    expect(await fate('catalog')).toBe('verified');
    expect(asked).toEqual([]);
  });

  it.each([[undefined], [null], [''], [7], [{}], ['a/../b'], ['a b'], ['a.b']])(
    'refuses the id %p without a probe',
    async sub => {
      const { asked, fate } = create();
      expect(await fate(sub)).toBe('invalid-token, malformed');
      expect(asked).toEqual([]);
    },
  );

  it('probes an unknown plugin once, and never again if it answers', async () => {
    const { asked, fate } = create({ remote: KEYS, quiet: [] });
    for (let minute = 0; minute < 3; minute += 1) {
      expect(await fate('remote')).toBe('verified');
      // The plugin has called no other one yet: an empty key set is an answer.
      expect(await fate('quiet')).toBe('verified');
      jest.advanceTimersByTime(60_000);
    }
    expect(asked).toEqual(['remote', 'quiet']);
  });

  it('probes again after five seconds if the plugin does not exist', async () => {
    const { answers, asked, fate } = create();
    expect(await Promise.all([fate('gone'), fate('gone')])).toEqual([
      'invalid-token, unknown-key',
      'invalid-token, unknown-key',
    ]);
    jest.advanceTimersByTime(4_999);
    answers.gone = KEYS;
    expect(await fate('gone')).toBe('invalid-token, unknown-key');
    expect(asked).toHaveLength(1);
    jest.advanceTimersByTime(1);
    expect(await fate('gone')).toBe('verified');
    expect(asked).toHaveLength(2);
  });

  it('does not refuse a token as invalid without an answer', async () => {
    const { answers, asked, fate } = create({ down: undefined });
    expect(await fate('down')).toBe('keys-unavailable');
    answers.down = KEYS;
    expect(await fate('down')).toBe('keys-unavailable');
    jest.advanceTimersByTime(5_000);
    expect(await fate('down')).toBe('verified');
    expect(asked).toHaveLength(2);
  });

  it('probes an id of two hundred characters, and no longer one', async () => {
    const { asked, fate } = create();
    for (const length of [200, 201]) {
      const id = 'a'.repeat(length);
      expect(await fate(id)).toBe('invalid-token, unknown-key');
    }
    expect(asked).toEqual(['a'.repeat(200)]);
  });

  it('takes no room of new ids for one whose answer it has', async () => {
    const { asked, fate } = create();
    for (let i = 0; i < 20; i += 1) {
      expect(await fate('gone')).toBe('invalid-token, unknown-key');
    }
    for (let i = 1; i < 10; i += 1) {
      expect(await fate(`made-up-${i}`)).toBe('invalid-token, unknown-key');
    }
    expect(asked).toHaveLength(10);
  });

  it('treats an address that discovery can not provide as no answer', async () => {
    const { keyEndpoints } = create(
      {},
      pluginsAt(async () => {
        throw new Error('No address');
      }),
    );
    const token = { typ: 'vnd.backstage.plugin', sub: 'nowhere' };
    await expect(keyEndpoints.assertCallerKnown(token)).rejects.toMatchObject({
      reason: 'keys-unavailable',
    });
  });

  it('probes ten new ids a minute, does not refuse the others as invalid, and still accepts known ones', async () => {
    const { asked, fate } = create({ remote: KEYS });
    expect(await fate('remote')).toBe('verified');
    const fates = [];
    for (let i = 0; i < 600; i += 1) {
      fates.push(await fate(`made-up-${i}`));
    }
    expect(asked).toHaveLength(10);
    expect(fates.slice(0, 9)).toEqual(
      Array(9).fill('invalid-token, unknown-key'),
    );
    expect(new Set(fates.slice(9))).toEqual(new Set(['keys-unavailable']));
    expect(await fate('remote')).toBe('verified');
    expect(await fate('catalog')).toBe('verified');
    jest.advanceTimersByTime(60_000);
    expect(await fate('made-up-600')).toBe('invalid-token, unknown-key');
  });

  it('accepts a new plugin within seconds while twenty made-up ones a second arrive', async () => {
    const { asked, fate } = create({ peer: KEYS });
    let admittedAfterMs;
    for (let ms = 0; ms < 60_000; ms += 50) {
      await fate(`made-up-${ms}`);
      if (ms % 1_000 === 500 && (await fate('peer')) === 'verified') {
        admittedAfterMs ??= ms;
      }
      jest.advanceTimersByTime(50);
    }
    expect(admittedAfterMs).toBeLessThanOrEqual(2_000);
    expect(asked).toHaveLength(11);
  });

  it('finds the keys of users and of plugins, and reports missing ones', async () => {
    const user = { sub: 'user:default/a' };
    const ofPlugin = { typ: 'vnd.backstage.plugin', sub: 'remote' };
    const none = undefined;
    const withKey = { ...ofPlugin, kid: 'key' };
    const ofOtherKey = { ...user, kid: 'other' };
    for (const [answers, claims, userToken, expected] of [
      [{ auth: KEYS }, user, user, true],
      [{ auth: [] }, user, user, 'keys-unavailable'],
      [{ auth: undefined }, user, user, 'keys-unavailable'],
      // The answer is valid, and has no key that can have verified the token.
      [{ remote: [] }, ofPlugin, none, false],
      [{ remote: KEYS }, ofPlugin, none, true],
      [{ remote: KEYS }, withKey, none, true],
      [{ remote: ['other'] }, withKey, none, false],
      [{ remote: undefined }, ofPlugin, none, 'keys-unavailable'],
      [{ remote: KEYS, auth: undefined }, ofPlugin, user, 'keys-unavailable'],
      [{ remote: KEYS, auth: KEYS }, withKey, user, true],
      [{ remote: KEYS, auth: KEYS }, withKey, ofOtherKey, false],
      [{}, none, none, true],
    ] as const) {
      const { keyEndpoints } = create(answers);
      const result = await keyEndpoints
        .hasKeysOf({ claims, userToken })
        .catch((refusal: Refusal) => refusal.reason);
      expect([answers, result]).toEqual([answers, expected]);
    }
  });

  it('asks an endpoint once a second while it has keys, and once in five seconds while it has none', async () => {
    const user = { sub: 'user:default/a' };
    const token = { claims: user, userToken: user };
    const { answers, asked, keyEndpoints } = create({ auth: KEYS });
    for (let ms = 0; ms < 2_000; ms += 100) {
      await keyEndpoints.hasKeysOf(token);
      jest.advanceTimersByTime(100);
    }
    expect(asked).toHaveLength(2);
    answers.auth = undefined;
    for (let ms = 0; ms < 5_000; ms += 100) {
      await keyEndpoints.hasKeysOf(token).catch(() => {});
      jest.advanceTimersByTime(100);
    }
    expect(asked).toHaveLength(3);
  });
});

describe('[P55] KeyEndpoints while the keys of user tokens rotate', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: new Date('2026-06-01T00:00:00Z') });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  /** Returns a function that finds out whether a user token of a key that has not verified is refused for good. */
  function createEndpoint(auth: string[]) {
    const endpoints = create({ auth });
    const { keyEndpoints } = endpoints;
    const ofKey = (kid?: string) => ({ sub: 'user:default/a', kid });
    return {
      ...endpoints,
      fate: async (kid?: string) => {
        const claims = ofKey(kid);
        const result = await keyEndpoints
          .hasKeysOf({ claims, userToken: claims })
          .catch((refusal: Refusal) => refusal.detail ?? refusal.reason);
        // The endpoint is asked again a second later.
        await jest.advanceTimersByTimeAsync(1_000);
        return result;
      },
      verify: async (kid?: string) => {
        keyEndpoints.observe(ofKey(kid));
        // The gate fetches the keys for this at most once in five seconds.
        await jest.advanceTimersByTimeAsync(5_000);
      },
    };
  }
  const retry = 'new-key';

  it('refuse a new key for 30 s with 503, and then and all others for good', async () => {
    const { answers, fate } = createEndpoint(['a', 'b']);
    expect(await fate('a')).toBe(true);
    answers.auth = ['a', 'b', 'c'];
    expect(await fate('c')).toBe(retry);
    // Each of the five calls in a round takes a second.
    for (let round = 1; round < 10; round += 1) {
      expect([await fate('a'), await fate('b')]).toEqual([true, true]);
      expect([await fate('made-up'), await fate()]).toEqual([false, true]);
      expect(await fate('c')).toBe(round < 6 ? retry : true);
    }
  });

  it('know the first key that verifies without a request, and ask for each later one', async () => {
    const { answers, asked, fate, verify } = createEndpoint(['a']);
    await verify('a');
    await verify('a');
    expect(asked).toEqual([]);
    answers.auth = ['a', 'b'];
    await verify('b');
    expect(asked).toHaveLength(1);
    expect(await fate('b')).toBe(retry);
    await jest.advanceTimersByTimeAsync(25_000);
    expect([await fate('b'), await fate('a')]).toEqual([true, true]);
  });

  it('take a key for new that they have not seen when the first token verified', async () => {
    const { fate, verify } = createEndpoint(['a', 'b']);
    await verify('a');
    expect([await fate('b'), await fate('a')]).toEqual([retry, true]);
    await jest.advanceTimersByTimeAsync(30_000);
    expect(await fate('b')).toBe(true);
  });

  it('take a key for new that appears where there was none', async () => {
    const { answers, fate } = createEndpoint([]);
    expect(await fate('a')).toBe('keys-unavailable');
    answers.auth = ['a'];
    await jest.advanceTimersByTimeAsync(5_000);
    expect(await fate('a')).toBe(retry);
    await jest.advanceTimersByTimeAsync(30_000);
    expect(await fate('a')).toBe(true);
  });

  it('take no key for new because a plugin has offered its own keys before', async () => {
    const { answers, fate, keyEndpoints } = createEndpoint(['a']);
    answers.remote = KEYS;
    const claims = { typ: 'vnd.backstage.plugin', sub: 'remote' };
    await keyEndpoints.assertCallerKnown(claims);
    expect(await fate('a')).toBe(true);
  });

  it('do not take a key for new that was missing for a while', async () => {
    const { answers, fate } = createEndpoint(['a', 'b']);
    await fate('a');
    answers.auth = ['a'];
    expect(await fate('b')).toBe(false);
    answers.auth = ['a', 'b'];
    expect(await fate('b')).toBe(true);
  });

  it('ask nothing for a token that names no key, and once for one whose key is no longer there', async () => {
    const { asked, keyEndpoints, verify } = createEndpoint(['a']);
    await verify('a');
    await verify();
    keyEndpoints.observe(undefined);
    expect(asked).toEqual([]);
    for (let i = 0; i < 5; i += 1) {
      await verify('withdrawn');
    }
    expect(asked).toHaveLength(1);
  });

  it('ask again after a failure', async () => {
    const { answers, asked, fate, verify } = createEndpoint(['a']);
    await verify('a');
    answers.auth = undefined;
    await verify('b');
    answers.auth = ['a', 'b'];
    await verify('b');
    expect(asked).toHaveLength(2);
    expect(await fate('a')).toBe(true);
  });

  it('do not take an outage for a forged token that begins after a token has verified', async () => {
    const { answers, asked, keyEndpoints } = create({ auth: ['a', 'b'] });
    const userToken = { sub: 'user:default/a', kid: 'b' };
    keyEndpoints.observe({ ...userToken, kid: 'a' });
    for (let i = 0; i < 100; i += 1) {
      keyEndpoints.observe(userToken);
    }
    await jest.advanceTimersByTimeAsync(0);
    expect(asked).toHaveLength(1);
    answers.auth = undefined;
    await expect(
      keyEndpoints.hasKeysOf({ claims: userToken, userToken }),
    ).rejects.toBe(Refusal.because('keys-unavailable'));
  });

  it('keep a thousand keys', async () => {
    const { answers, fate, verify } = createEndpoint(['first']);
    await verify('first');
    for (const [count, expected] of [
      [900, true],
      [1_100, retry],
    ] as const) {
      for (let i = 0; i < count; i += 1) {
        answers.auth = [`${count}-${i}`];
        await verify(`${count}-${i}`);
      }
      answers.auth = ['first'];
      expect(await fate('first')).toBe(expected);
    }
  });
});

describe('KeyEndpoints that fetch the keys', () => {
  const user = { sub: 'user:default/a', kid: 'key' };
  const ofUser = { claims: user, userToken: user };
  const ofPlugin = {
    claims: { typ: 'vnd.backstage.plugin', sub: 'search', kid: 'key' },
    userToken: undefined,
  };
  const plugins = pluginsAt(async id => `http://backend/api/${id}`);
  let fetched: jest.SpiedFunction<typeof fetch>;
  beforeEach(() => {
    fetched = jest.spyOn(global, 'fetch');
  });
  afterEach(() => fetched.mockRestore());

  const warnings: string[] = [];
  const keySet = (keys: unknown, status = 200) =>
    Response.json({ keys }, { status });
  /** Returns whether the key of a token is there, or the reason by which the token is refused. */
  async function resultFor(token: typeof ofUser | typeof ofPlugin) {
    warnings.length = 0;
    const keyEndpoints = new KeyEndpoints({
      isKnown: async () => true,
      logger: { warn: (message: string) => warnings.push(message) } as never,
      plugins,
    });
    return keyEndpoints
      .hasKeysOf(token)
      .catch((refusal: Refusal) => refusal.reason);
  }

  it('fetch them from the endpoint, and follow no redirect', async () => {
    fetched.mockImplementation(async () => keySet([{ kid: 'key' }]));
    expect(await resultFor(ofUser)).toBe(true);
    expect(warnings).toEqual([]);
    expect(await resultFor(ofPlugin)).toBe(true);
    expect(warnings).toEqual([]);
    const options = { signal: expect.any(AbortSignal), redirect: 'manual' };
    expect(fetched.mock.calls).toEqual([
      ['http://backend/api/auth/.well-known/jwks.json', options],
      ['http://backend/api/search/.backstage/auth/v1/jwks.json', options],
    ]);
  });

  it.each<[string, () => Response | Promise<Response>, string]>([
    [
      'an error of the connection',
      () => Promise.reject(new TypeError('no')),
      'the request failed (TypeError)',
    ],
    ['404', () => new Response(null, { status: 404 }), 'it offers none'],
    ['500', () => keySet([{}], 500), 'it answers 500'],
  ])('find none in %s, and log the address', async (_, answer, problem) => {
    fetched.mockImplementation(async () => answer());
    expect(await resultFor(ofPlugin)).toBe('keys-unavailable');
    expect(await resultFor(ofUser)).toBe('keys-unavailable');
    expect(warnings).toEqual([
      `API gate can not fetch keys from http://backend/api/auth/.well-known/jwks.json: ${problem}. Tokens of these keys are answered 503. If the address is wrong, set it in discovery.endpoints`,
    ]);
  });

  it.each([
    ['http://backend:7007/auth', 'http://backend:7007/auth/.well-known'],
    ['http://user:p@ss@backend/auth', 'http://backend/auth/.well-known'],
    ['backend:7007/auth', 'backend:7007/auth/.well-known'],
    ['backend/auth', 'backend/auth/.well-known'],
    ['http://backend/auth?key=secret', 'http://backend/auth: the'],
  ])('log an address without its secrets: %s', async (address, logged) => {
    fetched.mockRejectedValue(new TypeError('no'));
    warnings.length = 0;
    const keyEndpoints = new KeyEndpoints({
      isKnown: async () => true,
      logger: { warn: (message: string) => warnings.push(message) } as never,
      plugins: pluginsAt(async () => address),
    });
    await expect(keyEndpoints.hasKeysOf(ofUser)).rejects.toThrow();
    expect(warnings).toEqual([
      expect.stringMatching(
        new RegExp(`^API gate can not fetch keys from ${logged}`),
      ),
    ]);
  });

  it('log a failure once a minute for each known plugin, and for all others together', async () => {
    fetched.mockImplementation(async () => new Response(null, { status: 500 }));
    const logger = { warn: (message: string) => warnings.push(message) };
    warnings.length = 0;
    const keyEndpoints = new KeyEndpoints({
      isKnown: async id => id === 'search',
      logger: logger as never,
      plugins,
    });
    const ask = async (sub: string) => {
      const claims = { ...ofPlugin.claims, sub };
      await keyEndpoints.assertCallerKnown(claims);
      await keyEndpoints.hasKeysOf({ claims } as never);
    };
    for (const sub of ['search', 'made-up-1', 'made-up-2', 'search']) {
      await ask(sub).catch(() => {});
    }
    await keyEndpoints.hasKeysOf(ofUser).catch(() => {});
    expect(warnings.map(text => text.match(/api\/([^/]+)/)![1])).toEqual([
      'search',
      'made-up-1',
      'auth',
    ]);
  });

  it('accept an empty list for a plugin, which may not have called yet', async () => {
    fetched.mockImplementation(async () => keySet([]));
    expect(await resultFor(ofUser)).toBe('keys-unavailable');
    expect(warnings).toHaveLength(1);
    expect(await resultFor(ofPlugin)).toBe(false);
    expect(warnings).toEqual([]);
  });

  it.each([
    [404, 'invalid-token'],
    [508, 'invalid-token'],
    [500, 'keys-unavailable'],
    [401, 'keys-unavailable'],
  ])(
    'with %i for an unknown caller refuse it as %s',
    async (status, reason) => {
      for (const body of [null, '{}']) {
        fetched.mockImplementation(async () => new Response(body, { status }));
        const keyEndpoints = new KeyEndpoints({
          isKnown: async () => false,
          logger: { warn: () => {} } as never,
          plugins,
        });
        await expect(
          keyEndpoints.assertCallerKnown(ofPlugin.claims),
        ).rejects.toMatchObject({ reason });
      }
    },
  );
});
