import { ConfigReader } from '@backstage/config';
import { InputError } from '@backstage/errors';
import type { JsonValue } from '@backstage/types';
import { readPolicyConfig } from './readPolicyConfig';
import { readExpectations } from '../config/readExpectations';

const AT = 'auth.apiGate.expect';

// The rest of the messages for a request.
const NO_REQUEST =
  'must be a method and a path, such as GET /api/catalog/entities';
const NO_METHOD =
  'must begin with a method in upper case, such as GET, POST or WEBSOCKET';
const QUERY =
  'must not have a query, which never decides what is public: leave out everything from the ? on';
const WILDCARD =
  'must be one request, without wildcards and parameters: write a path such as /api/catalog/entities';
const NO_PLUGIN =
  'must have a path below /api and a plugin, such as GET /api/catalog/entities';
const NO_ID =
  'must have a plugin id in lower case after /api/, such as GET /api/catalog/entities';
const NOT_PLAIN =
  'must have a plain path, because no other is ever public: leave out escapes, special characters, a slash at the end, and empty, "." or ".." segments';

const read = (value: unknown) => readExpectations(value, AT);

describe('readExpectations', () => {
  it.each([undefined, null, []])('reads %j as none', value => {
    expect(read(value)).toEqual([]);
  });

  it.each([
    ['GET /api/catalog/entities', 'GET', 'catalog', '/entities'],
    ['WEBSOCKET /api/signals', 'WEBSOCKET', 'signals', '/'],
    ['TRACE /api/a-b_1/x:y@z/~', 'TRACE', 'a-b_1', '/x:y@z/~'],
  ])('reads %s', (request, method, plugin, path) => {
    expect(read([{ request, is: 'closed' }])).toEqual([
      { request, method, plugin, path, is: 'closed' },
    ]);
  });

  it('accepts the same expectation twice', () => {
    const expectation = { request: 'GET /api/catalog/x', is: 'public' };
    expect(read([expectation, expectation])).toHaveLength(2);
  });

  it.each<[unknown, string]>([
    [
      {},
      `${AT} must be a list of expectations, such as { request: GET /api/catalog/entities, is: closed }`,
    ],
    [
      'GET /api/x',
      `${AT} must be a list of expectations, such as { request: GET /api/catalog/entities, is: closed }`,
    ],
    [['GET /api/x'], `${AT}[0] must be an object with the keys request, is`],
    [
      [{ request: 'GET /api/x', is: 'closed', reason: '' }],
      `${AT}[0].reason is not known: use request, is`,
    ],
    [
      [{ request: 'GET /api/x' }],
      `${AT}[0].is must be either public or closed`,
    ],
    [
      [{ request: 'GET /api/x', is: ['public', 'closed'] }],
      `${AT}[0].is must be either public or closed`,
    ],
    [
      [
        { request: 'GET /api/x', is: 'closed' },
        { request: 'GET /api/x', is: 'public' },
      ],
      `${AT}[1] contradicts ${AT}[0]: GET /api/x can not be both public and closed, remove one of them`,
    ],
  ])('refuses %j', (value, message) => {
    expect(() => read(value)).toThrow(new InputError(message));
  });

  it.each([
    [undefined, NO_REQUEST],
    [['GET /api/x'], NO_REQUEST],
    ['/api/x', NO_REQUEST],
    ['GET  /api/x', NO_REQUEST],
    [' GET /api/x', NO_REQUEST],
    ['GET /api/x ', NO_REQUEST],
    ['GET /api/x y', NO_REQUEST],
    ['get /api/x', NO_METHOD],
    ['CONNECT /api/x', NO_METHOD],
    ['FETCH /api/x', NO_METHOD],
    ['GET /api/x?', QUERY],
    ['GET /api/x?a=1', QUERY],
    ['GET /api/x/**', WILDCARD],
    ['GET /api/x/*/y', WILDCARD],
    ['GET /api/x/:name', WILDCARD],
    ['GET /api/', NO_PLUGIN],
    ['GET /catalog/entities', NO_PLUGIN],
    ['GET /API/x/y', NO_PLUGIN],
    ['GET http://a/api/x/y', NO_PLUGIN],
    ['GET /api/x#y', NO_PLUGIN],
    ['GET /api/Catalog/x', NO_ID],
    ['GET /api/a.b/x', NO_ID],
    ['GET /api/%63atalog/x', NO_ID],
    ['GET /api/x/', NOT_PLAIN],
    ['GET /api/x//y', NOT_PLAIN],
    ['GET /api/x/../y', NOT_PLAIN],
    ['GET /api/x/%79', NOT_PLAIN],
    ['GET /api/x/y;z', NOT_PLAIN],
    ['GET /api/x/{y}', NOT_PLAIN],
  ])('refuses the request %j, which %s', (request, message) => {
    expect(() => read([{ request, is: 'closed' }])).toThrow(
      new InputError(`${AT}[0].request ${message}`),
    );
  });

  it('refuses a plugin that is not known, where the installed ones are', () => {
    const value = [{ request: 'GET /api/catalgo/x', is: 'closed' }];
    expect(() => readExpectations(value, AT, id => id === 'catalog')).toThrow(
      new InputError(
        `${AT}[0].request names the plugin catalgo, which is not installed here or in discovery.endpoints: correct the id, or remove the expectation`,
      ),
    );
    expect(readExpectations(value, AT, () => true)).toHaveLength(1);
  });
});

describe('readPolicyConfig', () => {
  const ALLOW = [
    { plugin: 'events', path: '/http/github', methods: ['POST'] },
    { plugin: 'catalog', path: '/entities/**' },
    { plugin: 'catalog', path: '/entities/by-name' },
    { plugin: 'signals', path: '/', methods: ['WEBSOCKET'] },
  ];
  const readConfig = (...expectations: [string, 'public' | 'closed'][]) =>
    readPolicyConfig(
      new ConfigReader({
        backend: { baseUrl: 'https://backstage.example.com' },
        auth: {
          providers: { github: { development: { signIn: {} } } },
          apiGate: {
            allow: ALLOW,
            expect: expectations.map(([request, is]) => ({ request, is })),
          } as JsonValue,
        },
      }),
    );

  it.each([
    ['POST /api/events/http/github', 'public'],
    ['GET /api/events/http/github', 'closed'],
    ['HEAD /api/catalog/entities/x', 'public'],
    ['GET /api/catalog/entities', 'closed'],
    ['GET /api/catalog/.backstage/auth/v1/cookie', 'closed'],
    ['DELETE /api/catalog/.backstage/auth/v1/cookie', 'public'],
    ['GET /api/catalog/.backstage/auth/v1/jwks.json', 'public'],
    ['GET /api/auth/github/start', 'public'],
    ['POST /api/auth/github/logout', 'public'],
    ['GET /api/auth/api-gate/v1/policy', 'closed'],
    ['WEBSOCKET /api/signals', 'public'],
    ['GET /api/signals', 'closed'],
    ['WEBSOCKET /api/auth/x', 'closed'],
  ] as const)('holds for %s, which is %s, and for nothing else', (...row) => {
    const [request, is] = row;
    expect(readConfig([request, is]).expect).toHaveLength(1);
    expect(() =>
      readConfig([request, is === 'public' ? 'closed' : 'public']),
    ).toThrow(`auth.apiGate.expect[0]: ${request} should be`);
  });

  it.each([
    [
      'GET /api/catalog/entities/x',
      'closed',
      'GET /api/catalog/entities/x should be closed, and is public by auth.apiGate.allow[1] (/entities/**)',
    ],
    [
      'GET /api/catalog/entities',
      'public',
      'GET /api/catalog/entities should be public, and no rule of auth.apiGate.allow names it; the nearest is auth.apiGate.allow[1] (/entities/**)',
    ],
    [
      'GET /api/scaffolder/v2/tasks',
      'public',
      'GET /api/scaffolder/v2/tasks should be public, and no rule of auth.apiGate.allow names it',
    ],
    [
      'GET /api/app/index.html',
      'closed',
      'GET /api/app/index.html should be closed, and is always public (built-in-public): remove the expectation',
    ],
  ] as const)('names the rule where %s is not %s', (request, is, message) => {
    const holds = ['GET /api/x/y', 'closed'] as [string, 'closed'];
    expect(() => readConfig(holds, [request, is])).toThrow(
      new RegExp(
        `^auth\\.apiGate\\.expect\\[1\\]: ${message.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`,
      ),
    );
  });

  it('names the first that fails, and how many more do', () => {
    expect(() =>
      readConfig(
        ['GET /api/x/y', 'public'],
        ['GET /api/x/z', 'closed'],
        ['GET /api/x/a', 'public'],
      ),
    ).toThrow(/^auth\.apiGate\.expect\[0\]: .*; and 1 more$/);
  });
});
