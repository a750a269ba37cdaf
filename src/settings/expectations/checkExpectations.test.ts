import { ConfigReader } from '@backstage/config';
import type { JsonValue } from '@backstage/types';
import type { AllowRule } from '../../gate/rules/AllowRule';
import type { ApiGateConfig } from '../read/readApiGateConfig';
import { readExpectations } from '../read/readExpectations';
import { findFailedExpectations, readPolicyConfig } from './checkExpectations';

const ENDED = Date.parse('2001-01-01');

const allow: AllowRule[] = [
  { plugin: 'catalog', path: '/open/**', methods: ['GET'] },
  { plugin: 'catalog', path: '/ended', methods: ['GET'], until: ENDED },
];

const expecting = (...rows: [request: string, is: 'public' | 'closed'][]) =>
  ({
    allow,
    expect: readExpectations(
      rows.map(([request, is]) => ({ request, is })),
      'expect',
    ),
    signOut: { providers: new Set(['github']) },
  }) as unknown as ApiGateConfig;

describe('findFailedExpectations', () => {
  it.each([
    ['GET /api/catalog/open/a', 'public'],
    ['POST /api/catalog/open/a', 'closed'],
    ['GET /api/catalog/ended', 'closed'],
    ['POST /api/auth/github/logout', 'public'],
    ['GET /api/app/a', 'public'],
  ] as const)('finds none where %s is %s', (request, is) => {
    expect(findFailedExpectations(expecting([request, is]))).toEqual([]);
  });

  it.each([
    [
      'GET /api/catalog/open/a',
      'closed',
      'should be closed, and is public by auth.apiGate.allow[0] (/open/**)',
      false,
    ],
    [
      'GET /api/auth/x',
      'closed',
      'should be closed, and is always public (built-in-public): remove the expectation',
      false,
    ],
    [
      'POST /api/auth/github/logout',
      'closed',
      'should be closed, and is always public (sign-out): remove the expectation',
      false,
    ],
    [
      'GET /api/catalog/ended',
      'public',
      'should be public, and its rule auth.apiGate.allow[1] (/ended) has ended: write a later until, or remove the expectation',
      true,
    ],
    [
      'POST /api/catalog/ended',
      'public',
      'should be public, and no rule of auth.apiGate.allow names it; the nearest is auth.apiGate.allow[1] (/ended)',
      false,
    ],
    [
      'GET /api/search/query',
      'public',
      'should be public, and no rule of auth.apiGate.allow names it: add one, or correct the plugin of one',
      false,
    ],
  ] as const)(
    'finds that %s is not %s',
    (request, is, problem, heldUntilRuleEnded) => {
      const config = expecting(['GET /api/x/y', 'closed'], [request, is]);
      expect(findFailedExpectations(config)).toEqual([
        {
          index: 1,
          message: `auth.apiGate.expect[1]: ${request} ${problem}`,
          heldUntilRuleEnded,
        },
      ]);
    },
  );
});

describe('findFailedExpectations of a plugin', () => {
  const failuresOf = (plugin: string, ...rules: AllowRule[]) =>
    findFailedExpectations({
      ...expecting(),
      allow: rules,
      expect: readExpectations([{ plugin, is: 'closed' }], 'expect'),
    }).map(({ message }) => message);
  const rule = (path: string, ...methods: string[]): AllowRule => ({
    plugin: 'catalog',
    path,
    methods,
  });

  it.each<AllowRule>([
    rule('/**', 'GET'),
    rule('/entities/**', 'GET'),
    rule('/health', 'POST'),
    rule('/', 'WEBSOCKET'),
    rule('/a/*', 'GET'),
    { ...rule('/x', 'GET'), until: Date.now() + 60_000 },
  ])('finds that %j opens it', opening => {
    const ended = { ...rule('/x', 'GET'), until: ENDED };
    expect(failuresOf('catalog', ended, opening)).toEqual([
      `auth.apiGate.expect[0]: the plugin catalog should be closed, and a part of it is public by auth.apiGate.allow[1] (${opening.path})`,
    ]);
  });

  it('finds none where rules of other plugins are in force, or rules that have ended', () => {
    expect(
      failuresOf(
        'catalog',
        { ...rule('/**', 'GET'), plugin: 'search' },
        { ...rule('/**', 'GET'), until: ENDED },
      ),
    ).toEqual([]);
  });

  it.each(['auth', 'app'])('finds that %s is never closed', plugin => {
    expect(failuresOf(plugin)).toEqual([
      `auth.apiGate.expect[0]: the plugin ${plugin} should be closed, and a part of it is always public (built-in-public): remove the expectation`,
    ]);
  });
});

describe('readPolicyConfig', () => {
  const ALLOW = [
    { plugin: 'events', path: '/http/github', methods: ['POST'] },
    { plugin: 'catalog', path: '/entities/**' },
    { plugin: 'catalog', path: '/entities/by-name' },
    { plugin: 'signals', path: '/', methods: ['WEBSOCKET'] },
    { plugin: 'catalog', path: '/ended', until: '2001-01-01' },
  ];
  const readConfig = (...expectations: [string, 'public' | 'closed'][]) =>
    readPolicyConfig(
      new ConfigReader({
        backend: { baseUrl: 'https://backstage.example.com' },
        events: { modules: { github: { webhookSecret: 's' } } },
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

  it('names the first that fails, and how many more do', () => {
    expect(() =>
      readConfig(
        ['GET /api/x/y', 'public'],
        ['GET /api/x/z', 'closed'],
        ['GET /api/x/a', 'public'],
      ),
    ).toThrow(/^auth\.apiGate\.expect\[0\]: .*; and 1 more$/);
  });

  it('accepts one that held until a rule ended', () => {
    const ended = 'GET /api/catalog/ended';
    expect(readConfig([ended, 'public']).expect).toHaveLength(1);
    expect(() =>
      readConfig([ended, 'public'], ['GET /api/x/y', 'public']),
    ).toThrow(/^auth\.apiGate\.expect\[1\]: [^;]*$/);
  });
});
