import type { DiscoveryService } from '@backstage/backend-plugin-api';
import { CallingPlugins } from './CallingPlugins';
import type { Refusal } from '../decision/Refusal';
import type { KeyAnswer, KeyEndpoints } from './KeyEndpoints';

function create(answers: Record<string, KeyAnswer> = {}) {
  const asked: string[] = [];
  const callingPlugins = new CallingPlugins({
    keyEndpoints: {
      probe: async (url: string) => {
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
    /** Returns the result for a service token of a plugin. */
    async fate(sub: unknown) {
      try {
        await callingPlugins.assertKnown(
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

  it('accepts other tokens without a check', () => {
    const { callingPlugins, discovery } = create();
    for (const token of [
      undefined,
      {},
      { typ: 'vnd.backstage.user', sub: 'x' },
    ]) {
      expect(callingPlugins.assertKnown(token, discovery)).toBeUndefined();
    }
  });

  it('does not probe known plugins', async () => {
    const { asked, fate } = create();
    expect(await fate('catalog')).toBe('verified');
    expect(asked).toEqual([]);
  });

  it.each([
    [undefined],
    [null],
    [''],
    [7],
    [{}],
    ['a/../b'],
    ['a b'],
    ['a.b'],
    ['a'.repeat(201)],
  ])('refuses the id %p without a probe', async sub => {
    const { asked, fate } = create();
    expect(await fate(sub)).toBe('invalid-token');
    expect(asked).toEqual([]);
  });

  it('probes an unknown plugin once, and never again if it answers', async () => {
    const { asked, fate } = create({ remote: 1, quiet: 0 });
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
      'invalid-token',
      'invalid-token',
    ]);
    jest.advanceTimersByTime(4_999);
    answers.gone = 1;
    expect(await fate('gone')).toBe('invalid-token');
    expect(asked).toHaveLength(1);
    jest.advanceTimersByTime(1);
    expect(await fate('gone')).toBe('verified');
    expect(asked).toHaveLength(2);
  });

  it('does not refuse a token as invalid without an answer', async () => {
    const { answers, asked, fate } = create({ down: undefined });
    expect(await fate('down')).toBe('keys-unavailable');
    answers.down = 1;
    expect(await fate('down')).toBe('keys-unavailable');
    jest.advanceTimersByTime(5_000);
    expect(await fate('down')).toBe('verified');
    expect(asked).toHaveLength(2);
  });

  it('treats an address that discovery can not provide as no answer', async () => {
    const { callingPlugins } = create();
    const discovery = {
      getBaseUrl: async () => {
        throw new Error('No address');
      },
    } as unknown as DiscoveryService;
    const token = { typ: 'vnd.backstage.plugin', sub: 'nowhere' };
    await expect(
      callingPlugins.assertKnown(token, discovery),
    ).rejects.toMatchObject({ reason: 'keys-unavailable' });
  });

  it('probes ten new ids a minute, does not refuse the others as invalid, and still accepts known ones', async () => {
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

  it('accepts a new plugin within seconds while twenty made-up ones a second arrive', async () => {
    const { asked, fate } = create({ peer: 1 });
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
});
