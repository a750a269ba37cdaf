import { InputError } from '@backstage/errors';
import {
  allowOf,
  nameOf,
  rejected,
  taken,
} from '../../__tests__/__testUtils__/allowRuleRows';
import {
  readAllowRules,
  readPluginPath,
  formatRule,
  yamlOf,
} from './readAllowRules';

describe('readAllowRules', () => {
  it('has a table to walk', () => {
    expect(rejected.length).toBeGreaterThan(30);
    expect(taken.length).toBeGreaterThan(10);
  });

  it.each(rejected.map(row => [nameOf(row), row] as const))(
    'rejects %s',
    (_, row) => {
      const read = () => readAllowRules(allowOf(row), 'auth.apiGate.allow');
      expect(read).toThrow(/^auth\.apiGate\.allow\S* [^\n]+$/);
    },
  );

  it.each(taken.map(row => [nameOf(row), row] as const))(
    'takes %s',
    (_, row) => {
      const read = () => readAllowRules(allowOf(row), 'auth.apiGate.allow');
      expect(read).not.toThrow();
    },
  );

  it.each([
    [{ plugin: 'pub', path: 'health' }, '[0].path must be text that starts'],
    [
      { plugin: 'pub', path: '/h', methods: ['get'] },
      '[0].methods[0] must be a method that a rule can name, such as GET or POST (did you mean GET?)',
    ],
    [
      { plugin: 'pub', path: '/h', methods: [{ toString: false }] },
      '[0].methods[0] must be a method that a rule can name',
    ],
    [{ plugin: 'pub', path: '/health/' }, 'write /health'],
    [{ plugin: 'pub', path: '/a//**' }, 'write /a/**'],
    [
      { plugin: 'pub', path: '//**' },
      '[0].path has an empty segment before /**, as a variable without a value leaves it: write the path that is meant, or /** for the whole plugin',
    ],
    [{ plugin: 'pub', path: '//' }, 'write /'],
    [{ plugin: 'pub', path: '/api/pub/x' }, 'leave out the leading /api/pub'],
    [
      { plugin: 'pub', path: '/h', method: ['GET'] },
      '[0].method is not known (did you mean methods?): use plugin, path, methods, reason, until',
    ],
    [
      { plugin: 'Pub', path: '/h' },
      '[0].plugin must be one plugin id in lower case, such as pub',
    ],
    [
      { plugin: '@backstage-community/plugin-badges-backend', path: '/h' },
      '[0].plugin must be one plugin id in lower case, such as badges',
    ],
    [
      { plugin: 'a b', path: '/h' },
      '[0].plugin must be one plugin id in lower case, such as catalog',
    ],
    [{ path: '/h' }, '[0].plugin must be one plugin id'],
    [{ plugin: 'pub' }, '[0].path must be text'],
    [null, '[0] must be an object with the keys plugin, path'],
    [{ plugin: 'pub', path: '/api/pub' }, 'leave out the leading /api/pub'],
    [
      { plugin: 'pub', path: '/a*' },
      '[0].path may have * only as a whole segment, such as /entity/*/badge, or a trailing /**, which covers everything below',
    ],
    ...['/a/b*', '/a/*b', '/a/*.*', '/a/***', '/a/b*/**', '/a*/**'].map(
      path =>
        [
          { plugin: 'pub', path },
          '[0].path may have * only as a whole segment',
        ] as [unknown, string],
    ),
    ...['/*', '/*/a', '/*/**', '/**/a', '/*/'].map(
      path =>
        [
          { plugin: 'pub', path },
          '[0].path must begin with a literal segment, since a client chooses what stands for a wildcard: write for example /entity/*/badge, one rule for each path, or /** for the whole plugin',
        ] as [unknown, string],
    ),
    ...['/a/**/b', '/a/**/**', '/a/*/**/*'].map(
      path =>
        [
          { plugin: 'pub', path },
          '[0].path may have /** only at its end: write * for each single segment',
        ] as [unknown, string],
    ),
    [{ plugin: 'pub', path: '/a/*/' }, 'must not end with a slash: write /a/*'],
    [{ plugin: 'pub', path: '/a//*' }, 'must not have an empty'],
    [{ plugin: 'pub', path: '/a/*/../b' }, 'must not have an empty'],
    [{ plugin: 'pub', path: '/a/*/:b' }, 'write the literal path'],
    ...['/ws/*', '/ws/*/a', '/ws/**', '/ws/*/**'].map(
      path =>
        [
          { plugin: 'pub', path, methods: ['GET', 'WEBSOCKET'] },
          "[0].path must be exact for the method WEBSOCKET: name each handler's path, without * and /**",
        ] as [unknown, string],
    ),
    ...[
      ...[
        '',
        'tomorrow',
        '2026-02-31',
        '2026-12-31T18:00',
        '31.12.2026',
        '2026',
      ],
      ...[null, 20261231, true, ['2026-12-31'], { days: 1 }],
    ].map(
      until =>
        [
          { plugin: 'pub', path: '/a', until },
          '[0].until must be a date such as 2026-12-31, or an instant with a zone such as 2026-12-31T18:00:00Z',
        ] as [unknown, string],
    ),
    [
      { plugin: 'pub', path: '/h', methods: ['TRACE'] },
      '[0].methods[0] must be a method that a rule can name, such as GET',
    ],
    [
      { plugin: 'pub', path: `/${'a'.repeat(1000)}` },
      '[0].path must be at most 1000 characters long',
    ],
  ])('says of %j what to write instead', (rule, message) => {
    expect(() => readAllowRules([rule], 'auth.apiGate.allow')).toThrow(message);
  });

  it.each([
    ['/health/', '/health'],
    ['/a///', '/a'],
    ['/a//**', '/a/**'],
    ['//', '/'],
  ])('says of a path %s to write %s', (path, expected) => {
    const read = () => readAllowRules([{ plugin: 'pub', path }], 'allow');
    expect(read).toThrow(
      new InputError(
        `allow[0].path must not end with a slash: write ${expected}`,
      ),
    );
  });

  it.each<[unknown, string]>([
    [
      'all',
      ' must be a list of rules, each with a plugin and a path: begin each entry with "- ", in a line of its own',
    ],
    [
      [{ plugin: 'pub', path: '/a', reason: 5 }],
      '[0].reason must be text that says why this is public',
    ],
    [
      [{ plugin: 5, path: '/a' }],
      '[0].plugin must be one plugin id in lower case, such as catalog',
    ],
    [
      [{ plugin: 'pub', path: 'a' }],
      '[0].path must be text that starts with a slash, relative to the plugin, such as /health',
    ],
    [
      [{ plugin: 'pub', path: '/a:b' }],
      '[0].path may hold only letters, digits and - . _ ~ @ / : write the literal path, without parameters, escapes, query or regular expressions',
    ],
    [
      [{ plugin: 'pub', path: '/a/./b' }],
      '[0].path must not have an empty, "." or ".." segment',
    ],
    ...['', '/**'].map((end): [unknown, string] => [
      [{ plugin: 'pub', path: `/.backstage/auth/v1/cookie${end}` }],
      '[0].path is where cookies are issued, and no rule can name it: remove the rule',
    ]),
    ...[[], 'GET', { 0: 'GET' }].map((methods): [unknown, string] => [
      [{ plugin: 'pub', path: '/a', methods }],
      '[0].methods must be a list of methods, such as [GET]; leave it out for [GET]',
    ]),
    ...['CONNECT', 'TRACE', 'FETCH', 5].map((method): [unknown, string] => [
      [{ plugin: 'pub', path: '/a', methods: ['GET', method] }],
      '[0].methods[1] must be a method that a rule can name, such as GET or POST',
    ]),
  ])('refuses %j', (value, message) => {
    expect(() => readAllowRules(value, 'allow')).toThrow(
      new InputError(`allow${message}`),
    );
  });

  it.each([
    ['/', ['GET'], ['GET']],
    ['/**', undefined, ['GET']],
    ['/a/**', ['GET', 'POST', 'GET'], ['GET', 'POST']],
    ['/api/pub2/a', ['DELETE'], ['DELETE']],
    ['/ws', ['WEBSOCKET', 'GET'], ['WEBSOCKET', 'GET']],
    // A wildcard stands for one segment, so that this is no path of the cookie endpoint.
    ['/.backstage/*/auth/v1/cookie', ['GET'], ['GET']],
  ])('takes %s for %j', (path, methods, expected) => {
    const rule = { plugin: 'pub', path, ...(methods && { methods }) };
    expect(readAllowRules([rule], 'allow')).toStrictEqual([
      { plugin: 'pub', path, methods: expected },
    ]);
  });

  it.each([undefined, null, []])('reads %j as no rules', value => {
    expect(readAllowRules(value, 'allow')).toEqual([]);
  });

  it('takes a path of 1000 characters', () => {
    const path = `/${'a'.repeat(999)}`;
    const rules = readAllowRules([{ plugin: 'pub', path }], 'allow');
    expect(rules).toStrictEqual([{ plugin: 'pub', path, methods: ['GET'] }]);
  });

  it.each(['/a/*', '/a/*/b', '/a/*/*/**', '/.a/*/-/*/~'])(
    '[P36] takes %s',
    path => {
      const rules = readAllowRules([{ plugin: 'pub', path }], 'allow');
      expect(rules).toStrictEqual([{ plugin: 'pub', path, methods: ['GET'] }]);
    },
  );

  it.each([
    ['2026-12-31', '2026-12-31T00:00:00.000Z'],
    ['2026-12-31T18:00:00.5+01:00', '2026-12-31T17:00:00.500Z'],
    ['2001-01-01', '2001-01-01T00:00:00.000Z'],
  ])('[P37] reads until %s, in the past too', (until, instant) => {
    const rules = readAllowRules(
      [{ plugin: 'pub', path: '/a', until }],
      'allow',
    );
    expect(rules.map(rule => rule.until)).toEqual([Date.parse(instant)]);
  });

  it('keeps the reason', () => {
    const rule = {
      plugin: 'pub',
      path: '/a/**',
      methods: ['GET', 'OPTIONS'],
      reason: 'status page',
    };
    expect(readAllowRules([rule], 'allow')).toStrictEqual([rule]);
  });

  it('names the rule in a list', () => {
    expect(() =>
      readAllowRules(
        [
          { plugin: 'a', path: '/a' },
          { plugin: 'b', path: '/b' },
          { plugin: 'c', path: 'c' },
        ],
        'auth.apiGate.allow',
      ),
    ).toThrow('auth.apiGate.allow[2].path must be text');
  });
});

describe('readPluginPath', () => {
  it.each(['/', '/a/b', '/a/**', '/**'])('takes %s', path => {
    expect(readPluginPath({ plugin: 'pub', path }, 'x')).toStrictEqual({
      plugin: 'pub',
      path,
    });
  });

  it.each<[string, string | undefined, string]>([
    ['Pub', '/a', 'x.plugin must be one plugin id in lower case, such as pub'],
    [
      'pub',
      undefined,
      'x.path must be text that starts with a slash, relative to the plugin, such as /health',
    ],
    ...['/a/*', '/a/*/**', '/a*', '/*'].map(
      (path): [string, string, string] => [
        'pub',
        path,
        'x.path may have a wildcard only as a trailing /**, which covers everything below',
      ],
    ),
  ])('refuses the path of %s: %s', (plugin, path, message) => {
    expect(() => readPluginPath({ plugin, path }, 'x')).toThrow(
      new InputError(message),
    );
  });
});

it.each([
  [['GET'], 'GET'],
  [['POST', 'GET'], 'POST,GET'],
  [['WEBSOCKET'], 'WEBSOCKET'],
])('a rule for %j is shown as %s', (methods, text) => {
  const rule = { plugin: 'catalog', path: '/a/**', methods };
  expect(formatRule(rule)).toBe(`${text} /api/catalog/a/**`);
  expect(yamlOf(rule)).toBe(
    `- { plugin: catalog, path: '/a/**', methods: [${methods.join(', ')}] }`,
  );
});
