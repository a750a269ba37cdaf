import { readAllowRules } from '../../settings/read/readAllowRules';
import { AllowList } from './AllowList';
import { AllowRule } from './AllowRule';

const rule = (path: string, methods = ['GET']): AllowRule => ({
  plugin: 'pub',
  path,
  methods,
});

describe('AllowList', () => {
  const list = new AllowList([
    rule('/health'),
    rule('/hook', ['POST']),
    rule('/static/**'),
    rule('/a/b/**', ['GET', 'PUT']),
    rule('/head', ['HEAD']),
    { ...rule('/**'), plugin: 'open' },
    { ...rule('/'), plugin: 'root' },
  ]);

  it.each([
    ['pub', 'GET', '/health', '/health'],
    ['pub', 'HEAD', '/health', '/health'],
    ['pub', 'POST', '/hook', '/hook'],
    ['pub', 'GET', '/static/a', '/static/**'],
    ['pub', 'GET', '/static/a/b/c', '/static/**'],
    ['pub', 'PUT', '/a/b/c', '/a/b/**'],
    ['pub', 'HEAD', '/head', '/head'],
    ['open', 'GET', '/', '/**'],
    ['open', 'GET', '/a/b', '/**'],
    ['root', 'GET', '/', '/'],
  ])('opens %s %s %s by %s', (plugin, method, path, expected) => {
    expect(list.match(plugin, method, path, 0)?.path).toBe(expected);
  });

  it.each([
    ['pub', 'POST', '/health'],
    ['pub', 'OPTIONS', '/health'],
    ['pub', 'get', '/health'],
    ['pub', 'GET', '/Health'],
    ['pub', 'GET', '/healthx'],
    ['pub', 'GET', '/health/x'],
    ['pub', 'GET', '/health/'],
    ['pub', 'GET', '/hook'],
    ['pub', 'HEAD', '/hook'],
    ['pub', 'GET', '/head'],
    ['pub', 'GET', '/static'],
    ['pub', 'GET', '/staticx/a'],
    ['pub', 'POST', '/static/a'],
    ['pub', 'GET', '/a/bc/d'],
    ['pub', 'GET', '/a'],
    ['pub', 'GET', '/'],
    ['root', 'GET', '/a'],
    ['other', 'GET', '/health'],
    ['open', 'GET', 'x'],
    ['open', 'GET', ''],
    ['open', 'GET', '/.backstage/auth/v1/cookie'],
    ['open', 'HEAD', '/.Backstage/auth/v1/Cookie'],
  ])('does not open %s %s %s', (plugin, method, path) => {
    expect(list.match(plugin, method, path, 0)).toBeUndefined();
  });
});

describe('[P36] an AllowList with * in its rules', () => {
  const listOf = (...paths: string[]) =>
    new AllowList(
      readAllowRules(
        paths.map(path => ({ plugin: 'pub', path })),
        'allow',
      ),
    );
  const list = listOf(
    ...['/entity/*/*/*/badge/*', '/entity/*/logo', '/entity/own/**', '/a/*/**'],
  );

  it.each([
    ['/entity/a/b/c/badge/d', '/entity/*/*/*/badge/*'],
    ['/entity/a:b/=/*/badge/**', '/entity/*/*/*/badge/*'],
    ['/entity/own/logo', '/entity/own/**'],
    ['/entity/own/b/c/badge/d', '/entity/own/**'],
    ['/entity/ownx/logo', '/entity/*/logo'],
    ['/entity/*/logo', '/entity/*/logo'],
    ['/a/b/c', '/a/*/**'],
    ['/a/b/c/d/e/f/g/h', '/a/*/**'],
  ])('opens %s by %s', (path, expected) => {
    expect(list.match('pub', 'GET', path, 0)?.path).toBe(expected);
    expect(list.match('pub', 'HEAD', path, 0)?.path).toBe(expected);
  });

  it.each([
    ...['/entity/a/b/c/badge-specs', '/entity/a/b/c/badge', '/entity'],
    ...['/entity/a/b/c/badge/d/e', '/entity/a/b/badge/d', '/entity/a/b/logo'],
    ...['/entity//logo', '/entity/logo', '/entity/a/b//badge/d', '/a/b', '/a'],
    ...['/entity/a/b/c/badge/', '/entity/a/b/c/Badge/d', '/', '/*', '/a//b'],
    ...['/entity/a/logo/', '/b/entity/a/logo'],
  ])('does not open %s', path => {
    expect(list.match('pub', 'GET', path, 0)).toBeUndefined();
    expect(list.match('pub', 'POST', path, 0)).toBeUndefined();
  });

  it('never opens the cookie endpoint', () => {
    const wide = listOf('/.backstage/*/v1/*', '/.backstage/**');
    expect(wide.match('pub', 'GET', '/.backstage/auth/v1/cookie', 0)).toBe(
      undefined,
    );
    expect(wide.match('pub', 'GET', '/.backstage/a/v1/x', 0)).toBeDefined();
  });

  it.each([
    ['a', 2 ** 11 + 2],
    ['*', 14],
  ])(
    'visits each of its nodes at most once, with rules that alternate and a request of %s: at most %i visits',
    (segment, most) => {
      const depth = 10;
      const paths = Array.from({ length: 2 ** depth }, (_, bits) =>
        Array.from({ length: depth }, (__, i) =>
          (bits >> i) & 1 ? '/*' : '/a',
        ),
      ).map(segments => `/x${segments.join('')}/end`);
      const deep = listOf(...paths);
      // A visit reads one segment from a map. The tree has fewer than 2 ** (depth + 1) nodes before the last segments, and a
      // request with `*` visits those that have `*` everywhere.
      const get = jest.spyOn(Map.prototype, 'get');
      const missing = deep.match(
        'pub',
        'GET',
        `/x${`/${segment}`.repeat(depth)}/x`,
        0,
      );
      const visits = get.mock.calls.length;
      get.mockRestore();
      expect(missing).toBeUndefined();
      expect(visits).toBeLessThanOrEqual(most);
      expect(
        deep.match('pub', 'GET', `/x${`/${segment}`.repeat(depth)}/end`, 0),
      ).toBeDefined();
    },
  );

  it('is not slowed down by the longest rules and requests', () => {
    const longest = listOf(
      ...Array.from({ length: 100 }, (_, i) => `/${i}${'/*/a'.repeat(240)}/**`),
    );
    const target = `/7${'/a'.repeat(8_000)}`;
    const started = process.cpuUsage();
    for (let i = 0; i < 100; i += 1) {
      expect(longest.match('pub', 'GET', target, 0)).toBeDefined();
      expect(longest.match('pub', 'GET', `${target.slice(0, 900)}/b`, 0)).toBe(
        undefined,
      );
    }
    // 200 requests need about 10 ms, and a search that goes back would not end.
    expect(process.cpuUsage(started).user / 1000).toBeLessThan(2_000);
  });
});

describe('[P37] an AllowList with rules that end', () => {
  let now = 0;
  const ending = (path: string, until?: number) => ({
    ...{ plugin: 'pub', path, methods: ['GET'] },
    ...(until !== undefined && { until }),
  });
  const opens = (path: string, ...rules: ReturnType<typeof ending>[]) =>
    new AllowList(rules).match('pub', 'GET', path, now)?.path;

  it('closes a path from the first millisecond of its end on', () => {
    for (const [time, expected] of [
      [0, '/a'],
      [99, '/a'],
      [100, undefined],
      [101, undefined],
    ] as const) {
      now = time;
      expect(opens('/a', ending('/a', 100))).toBe(expected);
    }
  });

  it('looks for another rule where one has ended', () => {
    now = 100;
    const ended = ending('/a/b', 100);
    expect(opens('/a/b', ended, ending('/a/*'))).toBe('/a/*');
    expect(opens('/a/b', ended, ending('/a/**'))).toBe('/a/**');
    expect(opens('/a/b', ended, ending('/a/*', 100), ending('/**'))).toBe(
      '/**',
    );
    expect(opens('/a/b', ended, ending('/a/*', 50))).toBeUndefined();
  });

  it.each([undefined, 100])(
    'opens a path by the first of the rules that end at %p',
    until => {
      const [first, second] = ['a', 'b'].map(reason => ({
        ...ending('/a', until),
        reason,
      }));
      const list = new AllowList([first, second]);
      expect(list.match('pub', 'GET', '/a', 0)).toBe(first);
    },
  );

  it('opens a path as long as the last of the rules for it', () => {
    const last = ending('/a', 200);
    for (const others of [
      [ending('/a', 100), last],
      [last, ending('/a', 100)],
    ]) {
      now = 199;
      expect(opens('/a', ...others)).toBe('/a');
      now = 200;
      expect(opens('/a', ...others)).toBeUndefined();
      expect(opens('/a', ...others, ending('/a'))).toBe('/a');
    }
  });
});
