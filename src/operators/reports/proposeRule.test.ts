import { parse } from 'yaml';
import {
  readAllowRules,
  readOpenedRequests,
} from '../../settings/read/readAllowRules';
import { TokenCall, Use, usedCall } from '../../store/usage/Use';
import type { Decision } from '../../gate/Decision';
import {
  callPathOf,
  proposeLimits,
  proposeRule,
  recordableOf,
} from './proposeRule';

const missing: Decision = {
  plugin: 'hello',
  outcome: 'would-refuse',
  reason: 'missing-credentials',
  credential: 'none',
};
const requestTo = (path: string | undefined) => ({
  method: 'GET',
  reportedPath: path,
  path,
  isInstalled: true,
});

describe('[P60] the path of a request that worked', () => {
  it.each([
    '/',
    '/badge.svg',
    '/a/b-c_d~e@f',
    '/@scope/x.y',
    '/x@1.2.3',
    '/eyJ',
    '/x'.repeat(100),
  ])('is recorded if a rule may have it: %s', path => {
    expect(recordableOf(requestTo(path), missing)).toEqual({ path });
  });

  it.each([
    undefined,
    '/x/',
    '//x',
    '/a/../b',
    '/a%20b',
    '/*',
    '/a/**',
    '/it’s',
    "/a', methods: [POST] }",
    '/a\n- { plugin: catalog }',
    '/a #b',
    '/.backstage/auth/v1/cookie',
    `/${'x/'.repeat(100)}y`,
    `/t/${'A1_-'.repeat(8)}`,
    '/t/3f2504e0-4f89-11d3-9a0c-0305e82c3301',
    '/users/jane.doe@mail.example.com/picture',
    '/t/eyJhbGciOiJub25lIn0.e30.',
  ])('is not recorded otherwise: %j', path => {
    expect(recordableOf(requestTo(path), missing)).toEqual({});
  });

  it('is not recorded for a plugin that is not installed, or after a credential', () => {
    const elsewhere = { ...requestTo('/x'), isInstalled: false };
    expect(recordableOf(elsewhere, missing)).toEqual({});
    for (const reason of [
      'invalid-token',
      'cross-site',
      'unsupported-scheme',
    ] as const) {
      const refused = { ...missing, reason };
      expect(recordableOf(requestTo('/x'), refused)).toEqual({ reason });
    }
  });
});

describe('the proposed rule', () => {
  const path = '/x';

  it.each(['GET', 'HEAD'])('names what was seen alone: %s', method => {
    const { yaml } = proposeRule({ plugin: 'hello', method, path }) as any;
    expect(readAllowRules(parse(yaml), 'allow')).toEqual([
      { plugin: 'hello', path: '/x', methods: [method] },
    ]);
  });

  it.each([
    ['hello', 'POST', 'webhooks.md'],
    ['hello', 'DELETE', 'webhooks.md'],
    ['hello', 'OPTIONS', 'webhooks.md'],
    ['hello', 'WEBSOCKET', 'websockets.md'],
    ['proxy', 'GET', 'the plugin proxy'],
    ['scaffolder', 'GET', 'the plugin scaffolder'],
    ['kubernetes', 'GET', 'the plugin kubernetes'],
    ['mcp-actions', 'GET', 'the plugin mcp-actions'],
  ])('is none for %s and %s', (plugin, method, text) => {
    expect(proposeRule({ plugin, method, path })).toEqual({
      why: expect.stringContaining(text),
    });
  });

  it.each(['github', 'gitlab', 'azureDevOps'])(
    '[P91] is proposed for a webhook whose module verifies the sender: %s',
    topic => {
      const { yaml } = proposeRule({
        ...{ plugin: 'events', method: 'POST', path: `/http/${topic}` },
      }) as any;
      expect(parse(yaml)).toEqual([
        { plugin: 'events', path: `/http/${topic}`, methods: ['POST'] },
      ]);
    },
  );

  it.each([
    ['events', 'POST', '/http/bitbucketCloud'],
    ['events', 'POST', '/http/github/x'],
    ['events', 'POST', '/http/GitHub'],
    ['events', 'PUT', '/http/github'],
    ['events', 'POST', undefined],
    ['hello', 'POST', '/http/github'],
  ])('is none for a sender that nothing verifies: %s %s %s', (...request) => {
    const [plugin, method, of] = request;
    expect(proposeRule({ plugin, method, path: of })).toHaveProperty('why');
  });

  it('is none without a path', () => {
    expect(proposeRule({ plugin: 'hello', method: 'GET' })).toEqual({
      why: expect.stringContaining('is not recorded: see docs/usage.md'),
    });
  });
});

const propose = (...calls: Omit<TokenCall, 'subject'>[]) =>
  proposeLimits(
    'ci',
    calls.map(call => usedCall({ subject: 'ci', ...call }) as Use),
  );

/** Reads the proposal once the `#` are removed, with the reader of the configuration. */
const readOnly = (text = '') =>
  parse(text.replace(/^# /gm, ''))[0].only.map((each: object) =>
    readOpenedRequests(each, 'x'),
  );

describe('callPathOf', () => {
  it.each([
    ['/', '/'],
    ['/v2/tasks', '/v2/tasks'],
    ['/v2/tasks/0b9b4c1e-6f0e-4c6f-9d0e-0123456789ab', '/v2/tasks/*'],
    [
      '/entities/by-name/user/default/jane@example.com',
      '/entities/by-name/user/default/*',
    ],
    ['/x/a:b/y', '/x/*/y'],
    ['/reset/aB3dE6gH9jK2mN5p', '/reset/*'],
    ['/reset/ab12-cd34-ef56', '/reset/ab12-cd34-ef56'],
    ['/a:b/y', undefined],
    [`/${'x'.repeat(40)}`, undefined],
    [`/a${'/b'.repeat(99)}`, `/a${'/b'.repeat(99)}`],
    [`/a${'/b'.repeat(100)}`, undefined],
    ['/x//y', '?'],
    ['/x/%61', '?'],
    ['/.backstage/auth/v1/cookie', '?'],
    [undefined, '?'],
  ])('%s is recorded as %s', (path, expected) => {
    expect(callPathOf({ method: 'GET', path })).toBe(expected);
  });

  it('has no segment of any text for a WebSocket, whose rule may have none', () => {
    const path = '/x/0b9b4c1e-6f0e-4c6f-9d0e-0123456789ab';
    expect(callPathOf({ method: 'WEBSOCKET', path })).toBeUndefined();
  });
});

describe('proposeLimits', () => {
  it('[P82] proposes what was called, and nothing else, as a comment', () => {
    const text = propose(
      { plugin: 'b', method: 'POST', path: '/v2/tasks' },
      { plugin: 'b', method: 'GET', path: '/v2/tasks/*' },
      { plugin: 'a', method: 'HEAD', path: '/x' },
      { plugin: 'a', method: 'GET', path: '/x' },
      { plugin: 'b', method: 'GET', path: '/v2/tasks' },
      { plugin: 'c', method: 'GET' },
      { plugin: 'c', method: 'GET', path: '/y' },
      { plugin: 'c', method: 'PUT', path: '/y' },
      { plugin: 'c', method: 'GET', path: '/z' },
      { plugin: 'd', method: 'WEBSOCKET', path: '/ws' },
    );
    expect(text?.split('\n').every(line => line.startsWith('# '))).toBe(true);
    expect(readOnly(text)).toEqual([
      { plugin: 'a', path: '/x', methods: ['GET'] },
      { plugin: 'b', path: '/v2/tasks', methods: ['GET', 'POST'] },
      { plugin: 'b', path: '/v2/tasks/*', methods: ['GET'] },
      { plugin: 'c', path: '/**', methods: ['GET'] },
      { plugin: 'c', path: '/y', methods: ['PUT'] },
      { plugin: 'd', path: '/ws', methods: ['WEBSOCKET'] },
    ]);
  });

  it.each<[string, Omit<TokenCall, 'subject'>]>([
    ['an odd path', { plugin: 'a', method: 'GET', path: '?' }],
    ['another backend', { plugin: 'not installed', method: 'GET', path: '/x' }],
    ['TRACE', { plugin: 'a', method: 'TRACE', path: '/x' }],
    ['CONNECT', { plugin: 'a', method: 'CONNECT', path: '/x' }],
    ['a WebSocket without a path', { plugin: 'a', method: 'WEBSOCKET' }],
  ])(
    'proposes nothing for %s, which no entry would keep working',
    (_, call) => {
      const ordinary = { plugin: 'a', method: 'GET', path: '/x' };
      expect(propose(ordinary)).toBeDefined();
      expect(propose(ordinary, call)).toBeUndefined();
    },
  );

  it('proposes nothing for a token that was not used', () => {
    expect(propose()).toBeUndefined();
  });
});
