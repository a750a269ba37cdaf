import type { JsonObject } from '@backstage/types';
import { accessWith, staticToken } from '../__testUtils__/externalAccess';
import { openPlugin, recordingPlugin } from '../__testUtils__/recordingPlugin';
import {
  bearer,
  cookie,
  COOKIE_ENDPOINT,
  KEYS,
  protocol,
  SAME_ORIGIN,
} from '../__testUtils__/requestParts';
import { signedBackends } from '../__testUtils__/signedBackends';
import { webSocketPlugin } from '../__testUtils__/webSocketPlugin';

const CI = 'a-static-token-of-ci';
const OTHER = 'a-static-token-of-another';
const SRE = 'group:default/sre';
const ALL_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
const TO_PLUGINS = ['users', 'tokens', 'plugins'];
const DENIED = {
  status: 403,
  message: 'The configuration of this backend denies this request',
};

const backends = signedBackends();
afterEach(backends.stopAll);

async function start(
  deny: JsonObject[],
  { allow = [], ...apiGate }: { allow?: JsonObject[]; mode?: string } = {},
) {
  const hello = openPlugin('hello');
  const caller = recordingPlugin('caller');
  const declared = recordingPlugin('declared', {
    policies: [{ path: '/open', allow: 'unauthenticated' }],
  });
  const live = webSocketPlugin('live', {
    '/ws': undefined,
    '/open': 'unauthenticated',
  });
  const configWith = (rules: JsonObject[]) => ({
    config: accessWith(staticToken(CI, 'ci'), staticToken(OTHER, 'other')),
    apiGate: { ...apiGate, allow, deny: rules },
  });
  const backend = await backends.start({
    ...configWith(deny),
    features: [hello, caller, declared, live].map(each => each.feature),
  });
  const tokenOf = (name: string, ...ent: string[]) =>
    backend.sign({ sub: `user:default/${name}`, ent });
  const jane = await tokenOf('jane', 'user:default/jane');
  // Releases before November 2026 have their handlers after a first request.
  await backend.get('/api/live/first', bearer(jane));
  hello.handled.length = 0;
  return {
    ...backend,
    caller,
    hello,
    live,
    jane,
    tokenOf,
    deny: (rules: JsonObject[]) => backend.change(configWith(rules)),
    /** Sends a request, and returns its status, with the message of a refusal of the gate. */
    async send(request: string, ...lines: string[]) {
      const [method, target] = request.split(' ');
      const { body, headers, status } = await backend.request(
        method,
        target,
        lines,
      );
      return headers['api-gate-decision'] && method !== 'HEAD'
        ? { status, message: JSON.parse(body).error.message }
        : { status };
    },
  };
}

const SECRET = { plugin: 'hello', path: '/secret/**', methods: ['GET', 'PUT'] };

describe('a deny rule', () => {
  it('[P115] refuses what Express might serve by its path, and no other plain path or method', async () => {
    const { hello, jane, send } = await start([SECRET]);
    for (const request of [
      'GET /api/hello/secret',
      'HEAD /api/hello/secret/a',
      'PUT /api/hello/SECRET/a/b?x=1',
      'GET /api/HELLO/secret',
      'GET /api/hello/secret/',
      'GET /api/hello//secret',
      'GET /api/hello/%73ecret',
      'GET /api/hello/x/../secret',
      'GET /api/hello/secret;x',
      'GET /api/hello/secret#x',
      'GET /api\\hello/secret#',
      'GET http://any/api/hello/secret',
      // It is not plain, so that it might be any path.
      'GET /api/hello/other/',
    ]) {
      const expected = request.startsWith('HEAD') ? { status: 403 } : DENIED;
      expect([request, await send(request, bearer(jane))]).toEqual([
        request,
        expected,
      ]);
    }
    expect(hello.handled).toEqual([]);
    // A handshake that is none to Node is served as a GET.
    const upgrade = 'Upgrade: websocket';
    expect(await send('GET /api/hello/secret', bearer(jane), upgrade)).toEqual(
      DENIED,
    );
    for (const request of [
      'GET /api/hello/other',
      'GET /api/hello/secrets',
      'POST /api/hello/secret',
      'POST /api/hello/secret/',
      'GET /api/caller/secret',
    ]) {
      expect([request, await send(request, bearer(jane))]).toEqual([
        request,
        { status: 200 },
      ]);
    }
  });

  it('[P115] leaves out keys, the cookie endpoint and sign-outs', async () => {
    const all = { plugin: 'hello', path: '/**', for: TO_PLUGINS };
    const { jane, send } = await start([all]);
    expect(await send('GET /api/hello/x', bearer(jane))).toEqual(DENIED);
    const of = (path: string) => `/api/hello${path}`;
    expect(await send(`GET ${of(KEYS)}`)).toEqual({ status: 200 });
    expect(await send(`GET ${of(COOKIE_ENDPOINT)}`, bearer(jane))).toEqual({
      status: 200,
    });
    expect(
      await send(`DELETE ${of(COOKIE_ENDPOINT)}`, cookie(jane), SAME_ORIGIN),
    ).toEqual({ status: 204 });
    expect(await send('GET /api/caller/x', bearer(jane))).toMatchObject({
      status: 401,
    });
  });

  it('[P115] refuses users, those for whom a plugin acts, and external tokens, but for its exceptions', async () => {
    const except = [SRE, 'user:default/john', 'other'];
    const backend = await start([{ ...SECRET, except }]);
    const { caller, deny, jane, send, tokenOf } = backend;
    const owner = await tokenOf('sue', 'user:default/sue', SRE);
    const john = await tokenOf('john');
    const onBehalfOf = async (token: string) => {
      const credentials = await caller.auth.authenticate(token);
      const { token: service } = await caller.auth.getPluginRequestToken({
        onBehalfOf: credentials,
        targetPluginId: 'hello',
      });
      return service;
    };
    const own = await caller.tokenFor('hello');
    const statusOf = async (...lines: string[]) =>
      (await send('GET /api/hello/secret', ...lines)).status;
    expect(await statusOf(bearer(jane))).toBe(403);
    expect(await statusOf(cookie(jane))).toBe(403);
    expect(await statusOf(bearer(owner))).toBe(200);
    expect(await statusOf(cookie(owner))).toBe(200);
    expect(await statusOf(bearer(john))).toBe(200);
    expect(await statusOf(bearer(await onBehalfOf(jane)))).toBe(403);
    // A token that acts for a user names no groups.
    expect(await statusOf(bearer(await onBehalfOf(owner)))).toBe(403);
    expect(await statusOf(bearer(await onBehalfOf(john)))).toBe(200);
    expect(await statusOf(bearer(CI))).toBe(403);
    expect(await statusOf(bearer(OTHER))).toBe(200);
    expect(await statusOf(bearer(own))).toBe(200);

    deny([{ ...SECRET, for: ['plugins'] }]);
    expect(await statusOf(bearer(own))).toBe(403);
    expect(await statusOf(bearer(jane))).toBe(200);
    deny([{ ...SECRET, until: '2020-01-01' }]);
    expect(await statusOf(bearer(jane))).toBe(200);
    deny([]);
    expect(await statusOf(bearer(jane))).toBe(200);
  });

  it('[P115] lets no allow rule open its paths, whomever it is for', async () => {
    const allow = [
      { plugin: 'hello', path: '/secret/open' },
      { plugin: 'caller', path: '/open' },
    ];
    const ofCaller = { plugin: 'caller', path: '/**' };
    const rules = [{ ...SECRET, for: ['plugins'] }, ofCaller];
    const backend = await start(rules, { allow });
    const { deny, hello, jane, send } = backend;
    const request = 'GET /api/hello/secret/open';
    expect(await send(request)).toEqual({
      status: 401,
      message: 'Missing credentials',
    });
    expect(hello.handled).toEqual([]);
    expect(await send(request, bearer(jane))).toEqual({ status: 200 });
    const [{ message }] = backend.logged('Public by rule');
    expect(message).toMatch(
      /GET,PUT \/api\/hello\/secret\/\*\* to plugins {2}\(closes to anybody what it has of auth\.apiGate\.allow\[0\]\)/,
    );
    expect(await send('GET /api/caller/open')).toMatchObject({ status: 401 });
    deny([{ ...SECRET, methods: ['PUT'] }]);
    expect(await send(request)).toEqual({ status: 200 });
    // The barrier of this plugin opens for the rule as well.
    expect(await send('GET /api/caller/open')).toEqual({ status: 200 });
  });

  it('leaves an allow rule out of what the reports have as opened', async () => {
    const opened = { plugin: 'declared', methods: ALL_METHODS };
    const allow = ['/open', '/open/**'].map(path => ({ ...opened, path }));
    const beyond = { plugin: 'caller', path: '/open' };
    const backend = await start([], {
      ...{ allow: [...allow, beyond], mode: 'report-only' },
    });
    const reported = async () => {
      const { closed, opensBeyondPlugins } = await backend.policy(CI);
      return [
        closed.some(({ plugin }) => plugin === 'declared'),
        opensBeyondPlugins.map(({ path }) => path),
      ];
    };
    expect(await reported()).toEqual([false, ['/open']]);
    const deny = ['caller', 'declared'].map(plugin => ({
      plugin,
      path: '/Open/**',
    }));
    backend.deny(deny);
    expect(await reported()).toEqual([true, []]);
    // The rest of a rule that is denied in part is open.
    backend.deny(deny.map(each => ({ ...each, path: '/open/x' })));
    expect(await reported()).toEqual([false, ['/open']]);
  });

  it('[P115] names itself in the log, the audit and the reports, and not to the client', async () => {
    const backend = await start([{ ...SECRET, reason: 'CVE-1' }]);
    const { get, jane, logged, policy } = backend;
    const answer = await get('/api/hello/secret/a', bearer(jane));
    expect(JSON.stringify(answer)).not.toMatch(/secret\/\*\*|CVE-1/);
    const [line] = logged('API gate refused a request');
    const rule = 'GET,PUT /api/hello/secret/**';
    expect(line.meta).toMatchObject({
      reason: 'denied',
      rule,
      subject: 'user:default/jane',
    });
    const report = await policy(CI);
    expect(report.refusals.last[0]).toMatchObject({ reason: 'denied', rule });
    expect(report.deny).toEqual([
      { ...SECRET, for: ['users', 'tokens'], except: [], reason: 'CVE-1' },
    ]);
  });

  it('[P115] is tried in report-only, and refuses nothing there', async () => {
    const backend = await start([SECRET], { mode: 'report-only' });
    const { hello, jane, logged, send } = backend;
    expect(await send('GET /api/hello/secret', bearer(jane))).toEqual({
      status: 200,
    });
    expect(hello.handled).toHaveLength(1);
    expect(logged('API gate would have refused a request')).toEqual([
      expect.objectContaining({
        meta: expect.objectContaining({ reason: 'denied' }),
      }),
    ]);
  });
});

describe('a deny rule for WebSockets', () => {
  const WS = { plugin: 'live', path: '/ws', methods: ['WEBSOCKET'] };

  it('[P115] refuses upgrades to its path, and those whose target is not plain', async () => {
    const { jane, live, upgradeStatus } = await start([WS]);
    for (const target of [
      '/api/live/ws',
      '/api/live/WS',
      '/api/live/ws/',
      '/api/live//ws',
      '/api/x/../live/ws',
    ]) {
      expect([target, await upgradeStatus(target, bearer(jane))]).toEqual([
        target,
        403,
      ]);
      expect(await upgradeStatus(target, protocol(jane))).toBe(403);
    }
    expect(live.handled).toEqual([]);
    expect(await upgradeStatus('/api/live/open', bearer(jane))).toBe(101);
  });

  it('[P115] ends the open sockets of those whom a new rule refuses, and no others', async () => {
    const path = '/open';
    const allow = [{ plugin: 'live', path, methods: ['WEBSOCKET'] }];
    const backend = await start([], { allow });
    const { deny, jane, tokenOf, upgrade } = backend;
    const john = await tokenOf('john');
    const open = await Promise.all([
      upgrade('/api/live/ws', bearer(jane)),
      upgrade('/api/live/ws', bearer(CI)),
      upgrade('/api/live/ws', bearer(john)),
      upgrade('/api/live/open', bearer(john)),
      upgrade('/api/live/open'),
    ]);
    expect(open.map(({ status }) => status)).toEqual(open.map(() => 101));
    const [ofJane, ofCi, ofJohn, byRule, anonymous] = open;
    deny([{ ...WS, except: ['user:default/john'] }]);
    await Promise.all([ofJane.closed, ofCi.closed]);
    expect([ofJohn, byRule, anonymous].map(each => each.isClosed())).toEqual([
      false,
      false,
      false,
    ]);
    // Where a rule denies, the allow rule opens nothing.
    deny([{ ...WS, path, for: ['plugins'] }]);
    await Promise.all([byRule.closed, anonymous.closed]);
    expect(ofJohn.isClosed()).toBe(false);
    ofJohn.destroy();
  });
});
