import type {
  AuthService,
  DiscoveryService,
} from '@backstage/backend-plugin-api';
import { unsignedToken } from '../__testUtils__/unsignedToken';
import { CallingPlugins } from './CallingPlugins';
import type { Refusal } from '../gate/Refusal';
import type { KeyAnswer, KeyEndpoints } from './KeyEndpoints';

const serviceToken = (sub: unknown) =>
  unsignedToken('vnd.backstage.plugin', { sub });

function create(answers: Record<string, KeyAnswer> = {}) {
  const asked: string[] = [];
  const callingPlugins = new CallingPlugins({
    keyEndpoints: {
      countKeys: async (url: string) => {
        const [, id] = url.match(/^http:\/\/(.*)\/\.backstage/)!;
        asked.push(id);
        return id in answers ? answers[id] : 'not-found';
      },
    } as KeyEndpoints,
    isKnown: async id => id === 'catalog',
  });
  const discovery = {
    getBaseUrl: async id => `http://${id}`,
  } as DiscoveryService;
  return {
    asked,
    answers,
    callingPlugins,
    discovery,
    /** How a service token of a plugin fares. */
    async fate(sub: unknown) {
      try {
        await callingPlugins.requireKnown(
          { typ: 'vnd.backstage.plugin', sub: sub as string },
          discovery,
        );
        return 'verified';
      } catch (refusal) {
        return (refusal as Refusal).reason;
      }
    },
  };
}

describe('[P13] CallingPlugins', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: new Date('2026-06-01T00:00:00Z') });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('has nothing to say of other tokens', () => {
    const { callingPlugins, discovery } = create();
    for (const token of [
      undefined,
      {},
      { typ: 'vnd.backstage.user', sub: 'x' },
    ]) {
      expect(callingPlugins.requireKnown(token, discovery)).toBeUndefined();
    }
  });

  it('asks nothing of plugins that are known', async () => {
    const { asked, fate } = create();
    expect(await fate('catalog')).toBe('verified');
    expect(asked).toEqual([]);
  });

  it.each([[undefined], [null], [''], [7], [{}], ['a/../b'], ['a b'], ['a.b']])(
    'refuses the id %p without asking',
    async sub => {
      const { asked, fate } = create();
      expect(await fate(sub)).toBe('invalid-token');
      expect(asked).toEqual([]);
    },
  );

  it('asks a plugin that is not known once, and for good if it answers', async () => {
    const { asked, fate } = create({ remote: 1, quiet: 0 });
    for (let minute = 0; minute < 3; minute += 1) {
      expect(await fate('remote')).toBe('verified');
      // It has called nobody yet: that is an answer.
      expect(await fate('quiet')).toBe('verified');
      jest.advanceTimersByTime(60_000);
    }
    expect(asked).toEqual(['remote', 'quiet']);
  });

  it('asks once a minute where there is no such plugin', async () => {
    const { asked, fate } = create();
    expect(await Promise.all([fate('gone'), fate('gone')])).toEqual([
      'invalid-token',
      'invalid-token',
    ]);
    jest.advanceTimersByTime(59_000);
    expect(await fate('gone')).toBe('invalid-token');
    expect(asked).toHaveLength(1);
    jest.advanceTimersByTime(1_000);
    expect(await fate('gone')).toBe('invalid-token');
    expect(asked).toHaveLength(2);
  });

  it('does not call a token invalid for want of an answer', async () => {
    const { answers, asked, fate } = create({ down: undefined });
    expect(await fate('down')).toBe('keys-unavailable');
    answers.down = 1;
    expect(await fate('down')).toBe('keys-unavailable');
    jest.advanceTimersByTime(60_000);
    expect(await fate('down')).toBe('verified');
    expect(asked).toHaveLength(2);
  });

  it('asks ten a minute, says of the others that it does not know, and goes on serving those that it knows', async () => {
    const { asked, fate } = create({ remote: 1 });
    expect(await fate('remote')).toBe('verified');
    const fates = [];
    for (let i = 0; i < 600; i += 1) {
      fates.push(await fate(`made-up-${i}`));
    }
    expect(asked).toHaveLength(10);
    expect(fates.slice(0, 9)).toEqual(Array(9).fill('invalid-token'));
    expect(new Set(fates.slice(9))).toEqual(new Set(['keys-unavailable']));
    expect(await fate('remote')).toBe('verified');
    expect(await fate('catalog')).toBe('verified');
    jest.advanceTimersByTime(60_000);
    expect(await fate('made-up-600')).toBe('invalid-token');
  });

  it("guards a plugin's auth, with Backstage's own errors", async () => {
    const { callingPlugins, discovery } = create({ down: undefined });
    const verified: string[] = [];
    const auth = callingPlugins.guard(
      {
        authenticate: async (token: string) => {
          verified.push(token);
          return {};
        },
        isPrincipal: () => true,
      } as unknown as AuthService,
      discovery,
    );
    await expect(auth.authenticate(serviceToken('gone'))).rejects.toMatchObject(
      { name: 'AuthenticationError' },
    );
    await expect(auth.authenticate(serviceToken('down'))).rejects.toMatchObject(
      { name: 'ServiceUnavailableError' },
    );
    expect(verified).toEqual([]);
    await auth.authenticate(serviceToken('catalog'));
    await auth.authenticate('static');
    expect(verified).toEqual([serviceToken('catalog'), 'static']);
    expect(auth.isPrincipal({} as never, 'user')).toBe(true);
  });
});
