import { parse } from 'yaml';
import { readAllowRules } from '../../settings/read/readAllowRules';
import type { Decision } from '../../gate/Decision';
import { proposeRule, recordablePathOf } from './proposeRule';

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
    expect(recordablePathOf(requestTo(path), missing)).toBe(path);
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
    expect(recordablePathOf(requestTo(path), missing)).toBeUndefined();
  });

  it('is not recorded for a plugin that is not installed, or after a credential', () => {
    expect(
      recordablePathOf({ ...requestTo('/x'), isInstalled: false }, missing),
    ).toBeUndefined();
    for (const reason of [
      'invalid-token',
      'cross-site',
      'unsupported-scheme',
    ] as const) {
      expect(
        recordablePathOf(requestTo('/x'), { ...missing, reason }),
      ).toBeUndefined();
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
    '[P91] requires the secret by which a module verifies the sender of a webhook: %s',
    topic => {
      const { yaml } = proposeRule({
        ...{ plugin: 'events', method: 'POST', path: `/http/${topic}` },
      }) as any;
      expect(readAllowRules(parse(yaml), 'allow')).toEqual([
        {
          ...{ plugin: 'events', path: `/http/${topic}`, methods: ['POST'] },
          requires: `events.modules.${topic}.webhookSecret`,
        },
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
