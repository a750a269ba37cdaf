import catalogPlugin from '@backstage/plugin-catalog-backend';
import permissionPlugin from '@backstage/plugin-permission-backend';
import allowAllPolicy from '@backstage/plugin-permission-backend-module-allow-all-policy';
import type { JsonObject } from '@backstage/types';
import { parse } from 'yaml';
import {
  blocksAfter,
  codeIn,
  readDocument,
  tableRows,
} from '../../__testUtils__/documents';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { bearer, JSON_TYPE } from '../../__testUtils__/requestParts';
import {
  SignedBackend,
  signedBackends,
} from '../../__testUtils__/signedBackends';
import { webSocketPlugin } from '../../__testUtils__/webSocketPlugin';

const SECRET = {
  events: { modules: { github: { webhookSecret: 'a secret' } } },
};

const backends = signedBackends();
afterEach(() => jest.restoreAllMocks());
afterEach(backends.stopAll);

// Goes in October 2027: plugins of releases before November 2026 differ, or are not installed.
const { API_GATE_TEST_RELEASE: release = '2026-11' } = process.env;
const describePlugins = release >= '2026-11' ? describe : describe.skip;

const RULES = 'docs/allow-rules.md';

const gateOf = (text: string): JsonObject => parse(text).auth.apiGate;
const rulesOf = (text: string): JsonObject => ({ allow: parse(text) });

/** Returns the status of `METHOD /target`, of which `WEBSOCKET` stands for an upgrade, without a credential. */
async function statusOf(
  backend: SignedBackend,
  written: string,
): Promise<number> {
  const [method, target] = written.split(' ');
  if (method === 'WEBSOCKET') {
    return backend.upgradeStatus(target);
  }
  const body = method === 'POST' ? '{}' : undefined;
  return (await backend.request(method, target, [JSON_TYPE], body)).status;
}

describe('docs/allow-rules.md', () => {
  it('has the rules of the table, by which a backend passes and refuses the requests of the table', async () => {
    const rows = tableRows(RULES, ['Rule', 'Request', 'Public']);
    const status = webSocketPlugin('status', { '/live': 'unauthenticated' });
    const backend = await backends.start({
      features: [
        ...['hello', 'techdocs', 'badges'].map(id => recordingPlugin(id)),
        status,
      ].map(({ feature }) => feature),
    });
    for (const [rule, request, isPublic] of rows) {
      const [plugin, path, methods] = codeIn(rule);
      const flow = `{ plugin: ${plugin}, path: '${path}'${methods ? `, methods: ${methods}` : ''} }`;
      backend.change({ apiGate: rulesOf(`- ${flow}`) });
      const [written] = codeIn(request);
      const answer = await statusOf(backend, written);
      expect([rule, written, answer !== 401]).toEqual([
        rule,
        written,
        isPublic === 'yes',
      ]);
    }
  });

  it('has a rule for a webhook, by which nothing else opens', async () => {
    const events = recordingPlugin('events');
    const [yaml] = blocksAfter(RULES, 'Allow rules');
    const backend = await backends.start({
      config: SECRET,
      apiGate: gateOf(yaml),
      features: [events.feature],
    });
    const statuses = [
      'POST /api/events/http/github',
      'GET /api/events/http/github',
      'POST /api/events/http/gitlab',
    ].map(each => statusOf(backend, each));
    expect(await Promise.all(statuses)).toEqual([200, 401, 401]);
  });

  it('quotes the error of a rule with a slash at its end', async () => {
    const [yaml] = blocksAfter(RULES, 'Allow rules');
    const [error] = blocksAfter(RULES, "What a rule can't say", 'text');
    await expect(
      backends.start({
        config: SECRET,
        apiGate: gateOf(yaml.replace('/http/github', '/http/github/')),
      }),
    ).rejects.toThrow(error);
  });
});

describePlugins(`${RULES}: opening a path is not enough`, () => {
  it('with the permission system, the catalog answers 401, and nothing', async () => {
    const backend = await backends.start({
      config: { permission: { enabled: true } },
      apiGate: { allow: [{ plugin: 'catalog', path: '/**' }] },
      features: [catalogPlugin, permissionPlugin, allowAllPolicy],
    });
    const { text } = readDocument(RULES);
    const [, refused, empty] = text.match(
      /it answers\s+`([^`]+)` with 401 and `([^`]+)` with an empty body/,
    )!;
    expect(await backend.statusOf(`/api/catalog${refused}`)).toBe(401);
    const answer = await fetch(`${backend.url}/api/catalog${empty}`);
    expect([answer.status, await answer.text()]).toEqual([200, '']);
  });
});

it('docs/websockets.md has a rule by which a WebSocket is public, and nothing else', async () => {
  const [yaml] = blocksAfter('docs/websockets.md', 'A public WebSocket');
  const status = webSocketPlugin('status', {
    '/live': 'unauthenticated',
    '/closed': 'unauthenticated',
  });
  const backend = await backends.start({
    apiGate: rulesOf(yaml),
    features: [status.feature],
  });
  // Goes in October 2027: releases before November 2026 have no handlers, and the plugin listens from its first request on.
  await backend.get('/api/status/x', bearer(await backend.sign()));
  const {
    status: opened,
    message,
    destroy,
  } = await backend.upgrade('/api/status/live');
  destroy();
  expect([opened, message]).toEqual([101, 'hello']);
  for (const other of [
    'WEBSOCKET /api/status/closed',
    'WEBSOCKET /api/status/live/',
    'GET /api/status/live',
  ]) {
    expect([other, await statusOf(backend, other)]).toEqual([other, 401]);
  }
});
