import type { AllowRule } from '../../gate/rules/AllowRule';
import { AllowList } from '../../gate/rules/AllowList';
import { explainRequest, findNearestRule } from './explainRequest';

const rule: AllowRule = { plugin: 'open', path: '/**', methods: ['GET'] };

const explain = (request: string) => {
  const [method, target] = request.split(' ');
  return explainRequest(
    { method, target },
    {
      allowList: new AllowList([rule]),
      config: { signOut: { providers: new Set(['github']) } },
    },
    plugin => plugin !== 'absent',
  );
};

const COOKIE = '/.backstage/auth/v1/cookie';

it.each([
  ['GET /healthcheck', 'not-gated', 'not-below-a-plugin'],
  ['GET /api/', 'not-gated', 'not-below-a-plugin'],
  ['GET http://a/api/open/x', 'needs-credential', 'not-plain'],
])('explains %s', (request, anonymous, because) => {
  expect(explain(request)).toEqual({ anonymous, because });
});

it.each([
  ['GET /api/open/', 'open'],
  ['GET /api/open/a;b', 'open'],
  ['GET /api/Open/a', 'open'],
  [`DELETE /api/%6fpen${COOKIE}`, '%6fpen'],
])('explains %s, whose path is not plain', (request, plugin) => {
  expect(explain(request)).toEqual({
    anonymous: 'needs-credential',
    because: 'not-plain',
    plugin,
  });
});

it('names the rule', () => {
  expect(explain('HEAD /api/open/a?b')).toEqual({
    anonymous: 'public',
    because: 'allow-rule',
    rule,
    plugin: 'open',
    path: '/a',
  });
});

it.each([
  ['GET', 'auth', '/github/start', 'public', 'built-in-public'],
  ['POST', 'auth', '/github/logout', 'public', 'sign-out'],
  ['DELETE', 'absent', COOKIE, 'public', 'sign-out'],
])('explains %s /api/%s%s', (method, plugin, path, anonymous, because) => {
  expect(
    explain(`${method} /api/${plugin}${path === '/' ? '' : path}`),
  ).toEqual({
    anonymous,
    because,
    plugin,
    path,
  });
});

it.each([
  ['POST', 'open', '/a', rule],
  ['GET', 'absent', '/', undefined],
])(
  'explains %s /api/%s%s, which no rule opens',
  (method, plugin, path, nearest) => {
    expect(
      explain(`${method} /api/${plugin}${path === '/' ? '' : path}`),
    ).toEqual({
      anonymous: 'needs-credential',
      because: 'no-rule',
      nearest,
      opening: { plugin, path, methods: [method] },
      plugin,
      path,
    });
  },
);

it.each([
  ['HEAD', 'hello', '/a', { path: '/a', methods: ['GET'] }],
  ['WEBSOCKET', 'hello', '/a', { path: '/a', methods: ['WEBSOCKET'] }],
  [
    'GET',
    'hello',
    '/api-gate/v1/policy',
    { path: '/api-gate/v1/policy', methods: ['GET'] },
  ],
  ['GET', 'auth', '/api-gate/v1/policy', undefined],
  ['TRACE', 'hello', '/a', undefined],
  ['CONNECT', 'hello', '/a', undefined],
])('names the rule that would open %s /api/%s%s: %j', (...row) => {
  const [method, plugin, path, opening] = row;
  expect(explain(`${method} /api/${plugin}${path}`).opening).toEqual(
    opening && { plugin, ...opening },
  );
});

describe('findNearestRule', () => {
  const ruleOf = (plugin: string, path: string) => ({
    plugin,
    path,
    methods: ['GET'],
  });

  it.each([
    ['/a/b/c', '/a/b/**'],
    ['/a/b', '/a/b/**'],
    ['/a/bb', '/a'],
    ['/x', '/a'],
    ['/', '/a'],
  ])('finds for %s the rule for %s', (path, nearest) => {
    const rules = [
      ruleOf('two', path),
      ruleOf('one', '/a'),
      ruleOf('one', '/a/b/**'),
    ];
    expect(findNearestRule(rules, 'one', path)?.path).toBe(nearest);
  });

  it.each([
    ['/a/b', ['/a/*', '/a/b/c'], '/a/b/c'],
    ['/a/b', ['/a/b', '/a/b/c'], '/a/b'],
    ['/a', ['/a/b', '/a/*'], '/a/b'],
    ['/a/b/c', ['/a/b', '/a/*'], '/a/b'],
    ['/a/b/c', ['/*/*', '/a'], '/*/*'],
  ])('prefers for %s, of %j, the rule for %s', (path, paths, nearest) => {
    const rules = paths.map(each => ruleOf('one', each));
    expect(findNearestRule(rules, 'one', path)?.path).toBe(nearest);
  });

  it('finds none among the rules of other plugins', () => {
    expect(findNearestRule([ruleOf('two', '/a')], 'one', '/a')).toBeUndefined();
  });

  it.each([
    ['/entity/a/b/c/badge-specs', '/entity/*/*/*/badge/*'],
    ['/entity/a', '/entity/*/*/*/badge/*'],
    ['/entity/a/logo', '/entity/*/logo'],
    ['/entity', '/entity/x'],
    ['/x', '/entity/x'],
  ])(
    'finds for %s the rule for %s, with * for any segment',
    (path, nearest) => {
      const rules = [
        '/entity/x',
        '/entity/*/*/*/badge/*',
        '/entity/*/logo',
      ].map(each => ruleOf('one', each));
      expect(findNearestRule(rules, 'one', path)?.path).toBe(nearest);
    },
  );
});
