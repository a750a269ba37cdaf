import { ConfigReader } from '@backstage/config';
import type { JsonValue } from '@backstage/types';
import { readPolicyConfig } from './readPolicyConfig';
import { readExpectations } from '../config/readExpectations';

const AT = 'auth.apiGate.expect';

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
    [{}, `${AT} must be a list of expectations`],
    ['GET /api/x', `${AT} must be a list of expectations`],
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
    expect(() => read(value)).toThrow(message);
  });

  it.each([
    [undefined, 'must be a method and a path'],
    [['GET /api/x'], 'must be a method and a path'],
    ['/api/x', 'must be a method and a path'],
    ['GET  /api/x', 'must be a method and a path'],
    ['GET /api/x ', 'must be a method and a path'],
    ['GET /api/x y', 'must be a method and a path'],
    ['get /api/x', 'must begin with a method in upper case'],
    ['CONNECT /api/x', 'must begin with a method in upper case'],
    ['FETCH /api/x', 'must begin with a method in upper case'],
    ['GET /api/x?', 'must not have a query'],
    ['GET /api/x?a=1', 'must not have a query'],
    ['GET /api/x/**', 'must be one request, without wildcards'],
    ['GET /api/x/*/y', 'must be one request, without wildcards'],
    ['GET /api/x/:name', 'must be one request, without wildcards'],
    ['GET /api/', 'must have a path below /api and a plugin'],
    ['GET /catalog/entities', 'must have a path below /api and a plugin'],
    ['GET /API/x/y', 'must have a path below /api and a plugin'],
    ['GET http://a/api/x/y', 'must have a path below /api and a plugin'],
    ['GET /api/x#y', 'must have a path below /api and a plugin'],
    ['GET /api/Catalog/x', 'must have a plugin id in lower case'],
    ['GET /api/a.b/x', 'must have a plugin id in lower case'],
    ['GET /api/%63atalog/x', 'must have a plugin id in lower case'],
    ['GET /api/x/', 'must have a plain path'],
    ['GET /api/x//y', 'must have a plain path'],
    ['GET /api/x/../y', 'must have a plain path'],
    ['GET /api/x/%79', 'must have a plain path'],
    ['GET /api/x/y;z', 'must have a plain path'],
    ['GET /api/x/{y}', 'must have a plain path'],
  ])('refuses the request %j, which %s', (request, message) => {
    expect(() => read([{ request, is: 'closed' }])).toThrow(
      `${AT}[0].request ${message}`,
    );
  });

  it('refuses a plugin that is not known, where the installed ones are', () => {
    const value = [{ request: 'GET /api/catalgo/x', is: 'closed' }];
    expect(() => readExpectations(value, AT, id => id === 'catalog')).toThrow(
      `${AT}[0].request names the plugin catalgo, which is not installed here or in discovery.endpoints: correct the id, or remove the expectation`,
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
