import type { AuthService } from '@backstage/backend-plugin-api';
import { AuthenticationError } from '@backstage/errors';
import { unsignedToken } from '../../__tests__/__testUtils__/unsignedToken';
import { TokenCache } from './TokenCache';

const jwt = (claims: object) => unsignedToken('vnd.backstage.user', claims);

/** Returns a verifier of a plugin, by the text of tokens. */
function verifierOf(cache: TokenCache, auth: AuthService, pluginId: string) {
  const { find, look } = cache.verifierFor(auth, pluginId);
  return {
    find: (text: string, options?: { allowLimitedAccess?: boolean }) =>
      find(cache.read(text), options),
    look: (text: string) => look(cache.read(text)),
  };
}

function create(ttlMs = 30_000) {
  const calls: [string, unknown][] = [];
  let answer: (token: string) => Promise<object> = async subject => ({
    principal: { type: 'service', subject },
  });
  const auth = {
    authenticate: async (token: string, options?: unknown) => {
      calls.push([token, options]);
      return answer(token);
    },
    isPrincipal: () => true,
  } as unknown as AuthService;
  const cache = new TokenCache({ ttlMs });
  return {
    calls,
    auth,
    cache,
    ...verifierOf(cache, auth, 'catalog'),
    answerWith(next: typeof answer) {
      answer = next;
    },
  };
}

describe('[P12] TokenCache', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: new Date('2026-06-01T00:00:00Z') });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('verifies a token once, per plugin and per kind of access', async () => {
    const { auth, cache, calls, find } = create();
    const token = jwt({ exp: 1_900_000_000 });
    const first = await find(token);
    expect(await find(token)).toEqual(first);
    expect(await find(token, {})).toEqual(first);
    expect(calls).toHaveLength(1);
    await find(token, { allowLimitedAccess: true });
    await verifierOf(cache, auth, 'hello').find(token);
    await find(`${token}x`);
    expect(calls.map(([, options]) => options)).toEqual([
      undefined,
      { allowLimitedAccess: true },
      undefined,
      undefined,
    ]);
  });

  it('verifies it again after its time to live', async () => {
    const { calls, find } = create(1_000);
    await find('static');
    jest.advanceTimersByTime(900);
    await find('static');
    expect(calls).toHaveLength(1);
    jest.advanceTimersByTime(200);
    await find('static');
    expect(calls).toHaveLength(2);
  });

  it('keeps no verdict that has ended, so that failures of its token are looked up', async () => {
    const { cache, find, look } = create(1_000);
    await find('a');
    expect(cache.read('a').verdicts).toHaveLength(1);
    jest.advanceTimersByTime(1_000);
    expect(look('a')).toBeUndefined();
    expect(cache.read('a').verdicts).toEqual([]);
  });

  it('[P12] never remembers it beyond its expiry', async () => {
    const { calls, find, answerWith } = create();
    const token = jwt({ exp: Date.now() / 1000 + 5 });
    await find(token);
    jest.advanceTimersByTime(5_000);
    answerWith(() => Promise.reject(new AuthenticationError('expired')));
    await expect(find(token)).rejects.toThrow('expired');
    expect(calls).toHaveLength(2);
  });

  it('verifies a token once for concurrent requests', async () => {
    const { calls, find } = create();
    await Promise.all(Array.from({ length: 20 }, () => find('x')));
    expect(calls).toHaveLength(1);
  });

  it('verifies a text by itself that holds what looks like a kind of access', async () => {
    const { calls, find } = create();
    await Promise.all([
      find('T', { allowLimitedAccess: true }),
      find('limited T'),
    ]);
    expect(calls).toHaveLength(2);
  });

  it('reads the token that was verified, also if its text was read again meanwhile', async () => {
    const { cache, calls, find, look } = create();
    const first = find('a');
    cache.read('b');
    const second = find('a');
    await Promise.all([first, second]);
    await find('a');
    expect(look('a')).toBeDefined();
    expect(calls).toHaveLength(1);
  });

  it('verifies it again after its time to live if the clock is set back', async () => {
    const { calls, find } = create(1_000);
    await find('a');
    jest.setSystemTime(Date.now() - 3_600_000);
    await find('a');
    expect(calls).toHaveLength(1);
    jest.advanceTimersByTime(1_000);
    await find('a');
    expect(calls).toHaveLength(2);
  });

  it('caches no failure', async () => {
    const { calls, find, answerWith } = create();
    answerWith(() => Promise.reject(new AuthenticationError('no')));
    await expect(find('x')).rejects.toThrow('no');
    answerWith(async () => ({ principal: { type: 'service', subject: 'b' } }));
    expect(await find('x')).toMatchObject({
      principal: { subject: 'b' },
    });
    expect(calls).toHaveLength(2);
  });

  it('verifies again after a timeout', async () => {
    const { find, answerWith } = create();
    answerWith(() => new Promise(() => {}));
    const failure = find('x').catch(error => error.message);
    await jest.advanceTimersByTimeAsync(11_000);
    expect(await failure).toContain('not verified in time');
    answerWith(async () => ({ principal: { type: 'service', subject: 'b' } }));
    expect(await find('x')).toMatchObject({
      principal: { subject: 'b' },
    });
  });

  it('gives each request its own credentials, also those that wait for the same verification', async () => {
    const { calls, find } = create();
    const principals = [];
    for (let i = 0; i < 2; i += 1) {
      const waiting = [find('x'), find('x')];
      for (const { principal } of await Promise.all(waiting)) {
        principals.push(principal as { subject: string });
        expect(principal).toEqual({ type: 'service', subject: 'x' });
        (principal as { subject: string }).subject = 'evil';
      }
    }
    expect(new Set(principals).size).toBe(4);
    expect(calls).toHaveLength(1);
  });

  it("[P50] gives each request what an adopter's auth makes for it alone, and remembers none of it", async () => {
    const { answerWith, calls, find, look } = create();
    const made: object[] = [];
    answerWith(async () => {
      const principal = { type: 'user', groups: new Set(['a']) };
      made.push({ principal });
      return made.at(-1)!;
    });
    const waiting = [find('x'), find('x')];
    const given = [...(await Promise.all(waiting))];
    given.push(await find('x'));
    expect(given.map(each => made.indexOf(each)).sort()).toEqual([0, 1, 2]);
    expect(calls).toHaveLength(3);
    expect(look('x')).toBeUndefined();
  });

  it('caches a service no longer than the user for whom it acts', async () => {
    const { calls, find } = create();
    const exp = Date.now() / 1000 + 5;
    const token = unsignedToken('vnd.backstage.plugin', {
      exp: exp + 3600,
      obo: jwt({ exp }),
    });
    await find(token);
    jest.advanceTimersByTime(5_000);
    await find(token);
    expect(calls).toHaveLength(2);
  });

  describe('recalls without a promise', () => {
    const token = jwt({ exp: Date.parse('2026-06-01T01:00:00Z') / 1000 });
    it('what the plugin has verified, and nothing else', async () => {
      const { auth, cache, find, look } = create();
      expect(look(token)).toBeUndefined();
      const credentials = await find(token);
      expect(look(token)).toEqual(credentials);
      expect(look(token)).not.toBe(credentials);
      expect(verifierOf(cache, auth, 'hello').look(token)).toBeUndefined();
      expect(look(`${token}x`)).toBeUndefined();
    });

    it('no token while it is verified, or that has failed', async () => {
      const { answerWith, find, look } = create();
      answerWith(() => Promise.reject(new AuthenticationError('no')));
      const failure = find(token).catch(() => {});
      expect(look(token)).toBeUndefined();
      await failure;
      expect(look(token)).toBeUndefined();
    });

    it('no limited access', async () => {
      const { auth, cache, calls, find, look } = create();
      await find(token, { allowLimitedAccess: true });
      expect(look(token)).toBeUndefined();
      await verifierOf(cache, auth, 'hello').find(token, {
        allowLimitedAccess: true,
      });
      expect(calls).toHaveLength(2);
    });

    it('nothing after the time to live', async () => {
      const { find, look } = create(1_000);
      await find(token);
      jest.advanceTimersByTime(999);
      expect(look(token)).toBeDefined();
      jest.advanceTimersByTime(1);
      expect(look(token)).toBeUndefined();
    });

    it('nothing after the expiry of the token', async () => {
      const { find, look } = create();
      const short = jwt({ exp: Date.now() / 1000 + 5 });
      await find(short);
      jest.advanceTimersByTime(4_999);
      expect(look(short)).toBeDefined();
      jest.advanceTimersByTime(1);
      expect(look(short)).toBeUndefined();
    });

    it('nothing at all where no verdicts are kept', async () => {
      const { find, look } = create(0);
      await find(token);
      expect(look(token)).toBeUndefined();
    });
  });

  it('reads the same text again as the same token', () => {
    const { cache } = create();
    expect(cache.read('a')).toBe(cache.read('a'));
  });

  it('reads a text as the token that it remembers', async () => {
    const { cache, find } = create();
    await find('a');
    const token = cache.read('a');
    expect(cache.read('b')).not.toBe(token);
    expect(cache.read('a')).toBe(token);
    const forgotten = cache.read('b');
    cache.read('a');
    expect(cache.read('b')).not.toBe(forgotten);
    cache.remember(cache.read('b'));
    const remembered = cache.read('b');
    cache.read('a');
    expect(cache.read('b')).toBe(remembered);
  });

  it('keeps the verdicts of a token that it remembers', async () => {
    const { cache, calls, find } = create();
    await find('a');
    cache.remember(cache.read('a'));
    await find('a');
    expect(calls).toHaveLength(1);
  });

  it.each([
    [20, 100_000],
    [3_000, 10],
  ])(
    'is bounded for %i tokens of %i characters that many plugins have verified',
    async (count, length) => {
      const { auth, cache, calls } = create();
      const textOf = (i: number) => `${i} ${'x'.repeat(length)}`;
      const authenticate = (text: string, plugin: number) =>
        verifierOf(cache, auth, `plugin-${plugin}`).find(text);
      for (let i = 0; i < count; i += 1) {
        for (let plugin = 0; plugin < 20; plugin += 1) {
          await authenticate(textOf(i), plugin);
        }
      }
      expect(calls).toHaveLength(count * 20);
      await authenticate(textOf(count - 1), 0);
      expect(calls).toHaveLength(count * 20);
      await authenticate(textOf(0), 0);
      expect(calls).toHaveLength(count * 20 + 1);
    },
  );

  it('forgets no verified token for a flood of tokens that fail', async () => {
    const { calls, find, answerWith } = create();
    await find('good');
    answerWith(() => Promise.reject(new AuthenticationError('no')));
    const failures = Array.from({ length: 3_000 }, (_, i) =>
      find(`bad-${i}`).catch(() => {}),
    );
    await Promise.all(failures);
    await find('good');
    expect(calls).toHaveLength(3_001);
  });

  it.each(['vnd.backstage.plugin', 'JWT'])(
    'caches a %s that acts for no user',
    async typ => {
      const { calls, find } = create();
      const token = unsignedToken(typ, { sub: 'x', exp: 1_900_000_000 });
      await find(token);
      await find(token);
      expect(calls).toHaveLength(1);
    },
  );

  it('is bounded', async () => {
    const { calls, find } = create();
    for (let i = 0; i < 20_001; i += 1) {
      await find(`token-${i}`);
    }
    await find('token-1');
    expect(calls).toHaveLength(20_001);
    await find('token-0');
    expect(calls).toHaveLength(20_002);
  });
});
