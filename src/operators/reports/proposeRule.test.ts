import { parse } from 'yaml';
import { readAllowRules } from '../../settings/read/readAllowRules';
import { proposeRule } from './proposeRule';

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

  it.each([
    [undefined, 'no rule can name the path'],
    ['/x/*', 'write the rule by hand'],
    ['/x/*/y', 'write the rule by hand'],
  ])('[P60] is none for the path %s', (of, text) => {
    const worked = { plugin: 'hello', method: 'GET', path: of };
    expect(proposeRule(worked)).toEqual({ why: expect.stringContaining(text) });
  });
});
