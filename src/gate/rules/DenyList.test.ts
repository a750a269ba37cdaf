import { DenyList, DenyRule, denies } from './DenyList';

const ruleFor = (rule: Partial<DenyRule>): DenyRule => ({
  plugin: 'a',
  path: '/**',
  methods: ['*'],
  for: ['users', 'tokens'],
  except: [],
  ...rule,
});

/** Returns whether a rule matches a request of the plugin `a`, written as its method and its path below the plugin. */
function isMatched(
  rule: Partial<DenyRule>,
  request: string,
  others: { isUpgrade?: boolean; pluginId?: string } = {},
): boolean {
  const [method, path] = request.split(' ');
  return (
    new DenyList([ruleFor(rule)]).match(
      { pluginId: 'a', method, path, ...others },
      1_000,
    ).length > 0
  );
}

const COOKIE = '/.backstage/auth/v1/cookie';

it.each<[rule: Partial<DenyRule>, matched: string[], others: string[]]>([
  [
    { path: '/x/y' },
    ['GET /x/y', 'TRACE /X/y', 'GET /x/y/', 'GET /x;/y', 'GET'],
    ['GET /x', 'GET /x/y/z', 'GET /', 'GET /y'],
  ],
  [
    { path: '/X/**' },
    ['GET /x', 'GET /x/y/z', 'GET /x/**', 'GET //', 'GET /%78'],
    ['GET /xy', 'GET /', 'GET /y/x'],
  ],
  [{ path: '/**' }, ['GET /', 'PUT /x/y'], [`GET ${COOKIE}`, `PUT ${COOKIE}/`]],
  [{ path: '/' }, ['GET /', 'GET /x//'], ['GET /x']],
  [
    { methods: ['GET'] },
    ['GET /x', 'HEAD /x', 'WEBSOCKET /x', 'HEAD'],
    ['POST /x', 'OPTIONS /x', 'POST'],
  ],
  [{ methods: ['HEAD'] }, ['HEAD /x'], ['GET /x', 'WEBSOCKET /x']],
  [{ methods: ['WEBSOCKET'] }, ['WEBSOCKET /x', 'WEBSOCKET'], ['GET /x']],
  [{ until: 1_001 }, ['GET /x'], []],
  [{ until: 1_000 }, [], ['GET /x', 'GET']],
  [{ plugin: 'b' }, [], ['GET /x', 'GET']],
])('[P115] %j matches %j, and not %j', (rule, matched, others) => {
  expect([...matched, ...others].filter(each => isMatched(rule, each))).toEqual(
    matched,
  );
});

it('[P115] an upgrade has the method WEBSOCKET too, whatever the method of its request is', () => {
  const rule = { methods: ['WEBSOCKET'] };
  expect(isMatched(rule, 'POST', { isUpgrade: true })).toBe(true);
  expect(isMatched(rule, 'POST')).toBe(false);
});

it('[P115] a target whose plugin is in doubt may be for any plugin', () => {
  const doubtful = { pluginId: '%' };
  expect(isMatched({}, 'GET', doubtful)).toBe(true);
  expect(isMatched({ methods: ['POST'] }, 'GET', doubtful)).toBe(false);
});

it('[P115] each rule of a place is found, and those above it', () => {
  const rules = ['/x/y', '/X/Y', '/**', '/x/**', '/x/y/**', '/x/y/z/**'].map(
    path => ruleFor({ path, reason: path }),
  );
  const found = new DenyList(rules).match(
    { pluginId: 'a', method: 'GET', path: '/x/Y' },
    0,
  );
  expect(found.map(({ path }) => path).sort()).toEqual(
    ['/x/y', '/X/Y', '/**', '/x/**', '/x/y/**'].sort(),
  );
});

const verified = (principal: object, ent?: string[]) =>
  ({
    credentials: { principal },
    token: { userToken: { sub: 'User:default/Jane', ent } },
  }) as never;
const JANE = { type: 'user', userEntityRef: 'User:default/Jane' };
const service = (subject: string) => ({ type: 'service', subject });

it.each<[string, Partial<DenyRule>, never, boolean]>([
  ['a user', {}, verified(JANE), true],
  ['a user', { for: ['tokens', 'plugins'] }, verified(JANE), false],
  ['a user', { except: ['user:default/jane'] }, verified(JANE), false],
  ['a user', { except: ['user:default/john'] }, verified(JANE), true],
  [
    'an owner for a group',
    { except: ['group:default/sre'] },
    verified(JANE, ['Group:default/SRE']),
    false,
  ],
  [
    'a user whose token names no group',
    { except: ['group:default/sre'] },
    verified(JANE),
    true,
  ],
  ['an external token', {}, verified(service('ci')), true],
  ['an external token', { for: ['users'] }, verified(service('ci')), false],
  ['an external token', { except: ['ci'] }, verified(service('ci')), false],
  ['an external token', { except: ['CI'] }, verified(service('ci')), true],
  ['a plugin', {}, verified(service('plugin:search')), false],
  ['a plugin', { for: ['plugins'] }, verified(service('plugin:search')), true],
])('[P115] of %s: %j denies', (_, rule, token, expected) => {
  expect(denies(ruleFor(rule), token)).toBe(expected);
  // Without a token, every rule that matches denies.
  expect(denies(ruleFor(rule))).toBe(true);
});

it('[P115] the rules of other plugins, and other paths of a plugin, cost a request nothing to speak of', () => {
  const rules = Array.from({ length: 1_000 }, (_, i) =>
    ruleFor({ plugin: `p${i % 2}`, path: `/x${i}/**` }),
  );
  const list = new DenyList(rules);
  const request = { pluginId: 'p1', method: 'GET', path: '/a/b/c/d/e' };
  const measure = () => {
    const startedAt = performance.now();
    for (let i = 0; i < 1_000; i += 1) {
      list.match(request, 0);
    }
    return performance.now() - startedAt;
  };
  const best = Math.min(...Array.from({ length: 300 }, measure));
  process.stderr.write(`${best.toFixed(2)} µs a request with 1,000 rules\n`);
  expect(best).toBeLessThan(3);
});
