import { countBy, isEqual, range } from 'lodash';
import type { TokenEntry } from './GateSettings';
import { TokenLimits } from './TokenLimits';

const rule = (path: string, ...methods: string[]) => ({
  plugin: 'a',
  path,
  methods: methods.length ? methods : ['GET'],
});

let now = 1_000;

/** Returns a function that judges a request of the subject `ci`, such as `GET /x`, to the plugin `a`. */
function limits(...entries: Partial<TokenEntry>[]) {
  now = 1_000;
  const all = new TokenLimits(
    entries.map(entry => ({ subject: 'ci', only: 'all', ...entry })),
  );
  return {
    all,
    judge(request: string, subject = 'ci', pluginId = 'a') {
      const [method, path] = request.split(' ');
      return all.findRefusal(subject, { pluginId, method, path }, now);
    },
    endFor(request: string) {
      const [method, path] = request.split(' ');
      return all.endFor('ci', { pluginId: 'a', method, path }, now);
    },
  };
}

describe('TokenLimits', () => {
  it('[P82] allows what only has, with the grammar of allow rules, and nothing else', () => {
    const { judge } = limits({
      only: [rule('/x', 'GET', 'POST'), rule('/y/**'), rule('/z/*/w')],
    });
    for (const allowed of [
      'GET /x',
      'HEAD /x',
      'POST /x',
      'GET /y/a/b',
      'GET /z/any/w',
    ]) {
      expect([allowed, judge(allowed)]).toEqual([allowed, undefined]);
    }
    for (const refused of [
      'PUT /x',
      'OPTIONS /x',
      'GET /X',
      'GET /x/',
      'GET /x/y',
      'GET /y',
      'POST /y/a',
      'GET /y//a',
      'GET /y/../x',
      'GET /y/%61',
      'GET /z/a/b/w',
      'WEBSOCKET /x',
      'GET',
    ]) {
      expect([refused, judge(refused)]).toEqual([refused, 'restricted']);
    }
    expect(judge('GET /x', 'ci', 'b')).toBe('restricted');
    const cookie = 'GET /.backstage/auth/v1/cookie';
    expect(limits({ only: [rule('/**')] }).judge(cookie)).toBe('restricted');
  });

  it('[P116] allows nothing to a subject without an entry, also by an empty list, and everything without the setting', () => {
    const { all, judge } = limits({ only: [rule('/x')], until: 500 });
    for (const subject of ['CI', 'c', 'ci2', 'plugin:a', 'toString']) {
      expect(judge('GET /x', subject)).toBe('restricted');
      expect([all.hasEntry(subject), all.hasEntry('ci')]).toEqual([
        false,
        true,
      ]);
    }
    expect(all.isUnlimited).toBe(false);
    const none = limits();
    expect(none.judge('GET /x')).toBe('restricted');
    expect(none.all.isUnlimited).toBe(false);
    const unset = new TokenLimits(undefined);
    const request = { pluginId: 'a', method: 'GET', path: '/x' };
    expect(unset.findRefusal('ci', request, now)).toBeUndefined();
    expect(unset.endFor('ci', request, now)).toBe(Infinity);
    expect(unset.isUnlimited).toBe(true);
  });

  it('limits each subject by its own entries', () => {
    const { judge } = limits(
      { only: [rule('/x')], until: 2_000 },
      { subject: 'other', only: [rule('/y')], until: 3_000 },
    );
    const judgeBoth = () => [
      ...['GET /x', 'GET /y'].map(r => judge(r)),
      ...['GET /x', 'GET /y'].map(r => judge(r, 'other')),
    ];
    expect(judgeBoth()).toEqual([
      ...[undefined, 'restricted'],
      ...['restricted', undefined],
    ]);
    now = 2_000;
    expect(judgeBoth()).toEqual([
      ...['token-ended', 'token-ended'],
      ...['restricted', undefined],
    ]);
  });

  it('[P83] refuses from until on', () => {
    const { judge, endFor } = limits({ until: 2_000 });
    expect([judge('GET /any'), endFor('GET /any')]).toEqual([undefined, 2_000]);
    now = 2_000;
    expect([judge('GET /any'), endFor('GET /any')]).toEqual([
      'token-ended',
      -Infinity,
    ]);
  });

  it('[P83] ends each entry of a subject by itself', () => {
    const { judge, endFor } = limits(
      { only: [rule('/x/**')], until: 2_000 },
      { only: [rule('/x/y'), rule('/z')], until: 3_000 },
    );
    expect(['GET /x/a', 'GET /x/y', 'GET /z'].map(r => judge(r))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect([endFor('GET /x/a'), endFor('GET /x/y')]).toEqual([2_000, 3_000]);
    now = 2_000;
    expect(['GET /x/a', 'GET /x/y', 'GET /z'].map(r => judge(r))).toEqual([
      'restricted',
      undefined,
      undefined,
    ]);
    now = 3_000;
    expect(['GET /x/a', 'GET /x/y', 'GET /q'].map(r => judge(r))).toEqual([
      'token-ended',
      'token-ended',
      'token-ended',
    ]);
  });

  it('[P116] allows what any of an entry and its defaults allows, so that one that is lost allows nothing', () => {
    const onlys = [[], [rule('/x')], 'all'] as const;
    const sayings = [
      undefined,
      ...onlys.flatMap(only =>
        [undefined, 500, 2_000].map(until => ({ only, until })),
      ),
    ] as (Partial<TokenEntry> | undefined)[];
    const subjects = ['external:*', 'external:e:*', 'external:e:ci'];
    const at = 1_000;
    let count = 0;
    const wrong: unknown[] = [];
    for (const shorter of sayings) {
      for (const longer of sayings) {
        for (const own of sayings) {
          const each = [shorter, longer, own];
          const entries = each.flatMap((said, i) =>
            said ? [{ ...said, subject: subjects[i] }] : [],
          );
          const allowing = entries.filter(({ only }) => only!.length > 0);
          const inForce = allowing.filter(({ until = 9_000 }) => until > at);
          const endBy = (path: string) =>
            Math.max(
              ...inForce.map(({ only, until = Infinity }) =>
                only === 'all' || path === '/x' ? until : -Infinity,
              ),
            );
          const isEnded = allowing.length > 0 && inForce.length === 0;
          const refusal = isEnded ? 'token-ended' : 'restricted';
          // The order of entries does not matter: every other list is in reverse.
          const { all } = limits(...(count % 2 ? entries.reverse() : entries));
          const judge = (path: string) => {
            const request = { pluginId: 'a', method: 'GET', path };
            return [
              all.findRefusal('external:e:ci', request, at),
              all.endFor('external:e:ci', request, at),
            ];
          };
          const expectedOf = (path: string) => [
            endBy(path) > at ? undefined : refusal,
            endBy(path),
          ];
          const found = [judge('/x'), judge('/y')];
          const expected = [expectedOf('/x'), expectedOf('/y')];
          if (!isEqual(found, expected)) {
            wrong.push({ each, found, expected });
          }
          count += 1;
        }
      }
    }
    expect(wrong.slice(0, 10)).toEqual([]);
    expect(count).toBe(10 ** 3);
  });

  it('[P116] is for the subjects that begin so, and for no other', () => {
    const { judge } = limits(
      { subject: 'external:e:*', only: [] },
      { subject: 'external:e:ci-*', only: [rule('/x')] },
      { subject: 'external:e:ci-1', only: [rule('/y')] },
    );
    const judged = [
      ...['external:e:', 'external:e:a', 'external:e:*', 'external:e:ci'],
      ...['external:e:ci-', 'external:e:ci-2', 'external:e:ci-1'],
      ...['external:e', 'external:f:a', 'External:e:a', 'e:a', 'ci'],
    ].map(subject => [
      subject,
      ['GET /x', 'GET /y'].filter(request => !judge(request, subject)),
    ]);
    expect(Object.fromEntries(judged)).toEqual({
      'external:e:': [],
      'external:e:a': [],
      'external:e:*': [],
      'external:e:ci': [],
      'external:e:ci-': ['GET /x'],
      'external:e:ci-2': ['GET /x'],
      'external:e:ci-1': ['GET /x', 'GET /y'],
      'external:e': [],
      'external:f:a': [],
      'External:e:a': [],
      'e:a': [],
      ci: [],
    });
  });

  it('[P116] finds the default of each subject again, however many there are', () => {
    const { judge } = limits(
      { subject: 'external:e:*', only: [] },
      { subject: 'external:f:*', only: [rule('/x')] },
    );
    const ids = range(1_500);
    for (let round = 0; round < 2; round += 1) {
      const [e, f] = ['e', 'f'].map(issuer =>
        countBy(ids, i => judge('GET /x', `external:${issuer}:${i}`)),
      );
      expect([e, f]).toEqual([{ restricted: 1_500 }, { undefined: 1_500 }]);
    }
  });

  it('has no end for what no entry ends', () => {
    const { endFor } = limits({ only: [rule('/x')] });
    expect([endFor('GET /x'), endFor('GET /y')]).toEqual([Infinity, -Infinity]);
    expect(limits({ reason: 'x' }).endFor('GET /x')).toBe(Infinity);
  });
});
