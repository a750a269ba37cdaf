import {
  readAllowRules,
  readPluginPath,
  formatRule,
  yamlOf,
} from './readAllowRules';

describe('readAllowRules', () => {
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
});

describe('readPluginPath', () => {
  it.each(['/', '/a/b', '/a/**', '/**'])('takes %s', path => {
    expect(readPluginPath({ plugin: 'pub', path }, 'x')).toStrictEqual({
      plugin: 'pub',
      path,
    });
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
