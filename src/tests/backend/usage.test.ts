import type { JsonObject } from '@backstage/types';
import { merge } from 'lodash';
import { tableRows } from '../../__testUtils__/documents';
import { accessWith, staticToken } from '../../__testUtils__/externalAccess';
import { rawRequest } from '../../__testUtils__/rawRequest';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { createReloadableConfig } from '../../__testUtils__/reloadableConfig';
import { freePort } from '../../__testUtils__/freePort';
import {
  backendConfig,
  RunningBackend,
  startBackend,
} from '../../__testUtils__/startBackend';
import { temporaryFolder } from '../../__testUtils__/temporaryFolder';
import { usageProbe } from '../../__testUtils__/usageProbe';
import type { PolicyReport } from '../../observability/describePolicy';

jest.setTimeout(60_000);

const tokenOf = (subject: string) => `${subject}-token-of-this-test`;
const external = (subject: string, ...restrictedTo: string[]) =>
  staticToken(tokenOf(subject), subject, ...restrictedTo);

const allow = [
  { plugin: 'hello', path: '/used/**', methods: ['GET', 'POST'] },
  { plugin: 'hello', path: '/unused', reason: 'a quarterly report' },
  { plugin: 'elsewhere', path: '/x' },
];
const externalAccess = [
  external('ci-deploy'),
  external('old-jenkins'),
  external('reader', 'hello', 'auth'),
  external('reporter', 'auth'),
];

let backend: RunningBackend;
let probe: ReturnType<typeof usageProbe>;
let other: ReturnType<typeof recordingPlugin>;

/** Creates a plugin whose handlers ask for a token to call the plugin that the path names, such as `/calls/auth`. */
const callingPlugin = (pluginId: string) =>
  recordingPlugin(pluginId, {
    handle: async (req, res, { auth, httpAuth }) => {
      const [, targetPluginId] = req.path.match(/^\/calls\/(.*)/) ?? [];
      if (targetPluginId) {
        await auth.getPluginRequestToken({
          onBehalfOf: await httpAuth.credentials(req),
          targetPluginId,
        });
      }
      res.json({});
    },
  });

async function start(apiGate: JsonObject = {}, settings: JsonObject = {}) {
  probe = usageProbe();
  other = recordingPlugin('other');
  backend = await startBackend({
    features: [callingPlugin('hello').feature, other.feature, probe.feature],
    config: {
      backend: { auth: { externalAccess }, ...settings },
      auth: { apiGate: { allow, ...apiGate } },
    },
  });
}
afterEach(() => backend.stop());

const send = (
  target: string,
  options: { token?: string; method?: string; headerLines?: string[] } = {},
) => {
  const { token, method, headerLines = [] } = options;
  const line = token ? [`Authorization: Bearer ${token}`] : [];
  return rawRequest(backend.port, target, {
    method,
    headerLines: [...line, ...headerLines],
  });
};

async function report(): Promise<PolicyReport> {
  const { body } = await send('/api/auth/api-gate/v1/policy', {
    token: tokenOf('reporter'),
  });
  return JSON.parse(body);
}

const today = () => new Date().toISOString().slice(0, 10);

describe('the record of use in a backend', () => {
  it('[P29] has the last use of each rule, and how many requests had no credential', async () => {
    await start();
    await send('/api/hello/used/a');
    await send('/api/hello/used/a?x=1', { method: 'HEAD' });
    await send('/api/hello/used/b', { method: 'POST', token: 'not-valid' });
    await send('/api/hello/used/b', {
      headerLines: ['Cookie: token=not-valid'],
    });
    // None of these is public.
    await send('/api/hello/unused', { method: 'POST' });
    await send('/api/hello/unused/x');
    await send('/api/hello/unused//');
    const { usage } = await report();
    expect(usage).toMatchObject({ complete: true, scope: 'all replicas' });
    expect(usage!.since).toBe(`${today()}T00:00:00.000Z`);
    expect(usage!.rules).toEqual([
      {
        rule: 'auth.apiGate.allow[0]',
        ...allow[0],
        lastUsed: today(),
        days: 0,
        requests30d: 4,
        withoutCredential30d: 2,
        byDay: [...new Array(30).fill(0), 4],
        installed: true,
      },
      {
        rule: 'auth.apiGate.allow[1]',
        ...allow[1],
        methods: ['GET'],
        lastUsed: null,
        days: 0,
        requests30d: 0,
        withoutCredential30d: 0,
        byDay: new Array(31).fill(0),
        installed: true,
      },
      expect.objectContaining({ lastUsed: null, installed: false }),
    ]);
  });

  it('[P31] has the plugins that each external token has called, and those that handlers called for it', async () => {
    await start();
    for (const target of [
      '/api/other/y',
      '/api/hello/x',
      '/api/hello/calls/auth',
    ]) {
      expect((await send(target, { token: tokenOf('ci-deploy') })).status).toBe(
        200,
      );
    }
    await send('/api/hello/x', { token: tokenOf('reader') });
    const restricted = await send('/api/other/x', { token: tokenOf('reader') });
    expect(restricted.status).toBe(403);
    const { usage } = await report();
    const called = { lastUsed: today(), days: 0, delegatedTo: [] };
    expect(usage!.externalTokens).toEqual([
      {
        subject: 'ci-deploy',
        ...called,
        requests30d: 3,
        plugins: ['hello', 'other'],
        delegatedTo: ['auth'],
      },
      {
        subject: 'old-jenkins',
        ...called,
        lastUsed: null,
        requests30d: 0,
        plugins: [],
      },
      { subject: 'reader', ...called, requests30d: 1, plugins: ['hello'] },
      { subject: 'reporter', ...called, requests30d: 1, plugins: ['auth'] },
    ]);
  });

  it('[P31] has no calls of handlers for users and plugins, and none for tokens that do not verify', async () => {
    await start();
    const target = '/api/hello/calls/auth';
    const { body } = await send('/api/auth/guest/refresh');
    const { token: guestToken } = JSON.parse(body).backstageIdentity;
    for (const token of [guestToken, await other.tokenFor('hello')]) {
      expect((await send(target, { token })).status).toBe(200);
    }
    expect((await send(target, { token: 'not-valid' })).status).toBe(401);
    await probe.sync();
    const names = (await probe.rows()).map(({ name }) => name);
    expect(new Set(names.filter(name => !/^(GET|POST) /.test(name)))).toEqual(
      new Set(externalAccess.map(({ options: { subject } }) => subject)),
    );
  });

  it('has the fields of docs/usage.md for each rule and token', async () => {
    await start();
    await send('/api/hello/calls/other', { token: tokenOf('ci-deploy') });
    await probe.sync();
    await probe.letPass(7);
    const { usage } = await report();
    const entries = [...usage!.rules, ...usage!.externalTokens];
    const named = ['subject', 'rule', ...Object.keys(allow[1]), 'methods'];
    expect(
      new Set([...entries.flatMap(entry => Object.keys(entry)), ...named]),
    ).toEqual(
      new Set([
        ...named,
        ...tableRows('docs/usage.md', ['Field', 'Meaning']).map(([field]) =>
          field.replaceAll('`', ''),
        ),
      ]),
    );
  });

  it('proposes nothing for a token that has called plugins of other backends', async () => {
    await start();
    await send('/api/hello/x', { token: tokenOf('ci-deploy') });
    await send('/api/absent/x', { token: tokenOf('ci-deploy') });
    await probe.sync();
    await probe.letPass(7);
    const { usage } = await report();
    const [token] = usage!.externalTokens.filter(
      ({ subject }) => subject === 'ci-deploy',
    );
    expect(token.plugins).toEqual(['hello', 'not installed']);
    expect(token.yaml).toBeUndefined();
  });

  it('[P31] records nothing of tokens that do not verify, and nothing of a request', async () => {
    await start();
    const forged = Array.from({ length: 300 }, (_, i) => i);
    for (let i = 0; i < forged.length; i += 50) {
      await Promise.all(
        forged.slice(i, i + 50).map(n =>
          send(`/api/hello/secret-${n}?q=secret-${n}`, {
            token: `secret-${n}-of-nobody`,
          }),
        ),
      );
    }
    await send('/api/hello/used/secret-path?q=secret', { token: 'secret' });
    await probe.sync();
    const rows = await probe.rows();
    // Four methods of rules, and three rows of each of four tokens.
    expect(rows).toHaveLength(16);
    expect(JSON.stringify(rows)).not.toMatch(/secret|of-this-test|127\.0|::1/);
    expect(JSON.stringify(rows)).toContain('POST hello/used/**');
  });

  it('[P30] lists in the log of the start what was not used for a day, after a restart too', async () => {
    const directory = temporaryFolder();
    const database = { client: 'better-sqlite3', connection: { directory } };
    await start({}, { database });
    await send('/api/hello/used/a');
    await send('/api/hello/calls/other', { token: tokenOf('ci-deploy') });
    const block = () =>
      backend.log
        .map(({ message }) => message)
        .find(message => message.startsWith('API gate: enforce'))!
        .replace(/\n {2}As a page.*$/, '');
    expect(block()).not.toContain('Use,');
    await probe.letPass(30);
    await backend.stop();
    await start({}, { database });
    expect(block().split('Use, at this backend:\n')[1].split('\n')).toEqual(
      [
        'auth.apiGate.allow[1] (GET /api/hello/unused) was not used in 30 days of observation  (a quarterly report)',
        'the external token of old-jenkins was not used in 30 days of observation',
        'the external token of reader was not used in 30 days of observation',
        'the external token of reporter was not used in 30 days of observation',
        'the external token of ci-deploy has no restrictions; these allow what it and handlers for it have called:',
        '  accessRestrictions:',
        '    - plugin: hello',
        '    - plugin: other # handlers call it for this token',
        'the external token of ci-deploy has no only; this entry of auth.apiGate.tokens allows what it has called:',
        '  # - subject: "ci-deploy"',
        '  #   only:',
        "  #     - { plugin: hello, path: '/calls/other', methods: [GET] }",
      ].map(line => `    ${line}`),
    );
    const { usage } = await report();
    expect(usage!.rules.map(({ days }) => days)).toEqual([30, 30, 30]);
    expect(usage!.days).toBe(30);
  });

  it('is off with usage: false, without a table', async () => {
    await start({ usage: false });
    await send('/api/hello/used/a');
    await probe.sync();
    expect((await report()).usage).toBeUndefined();
    expect(await probe.hasTable()).toBe(false);
  });

  it('follows a change of the rules', async () => {
    const port = await freePort();
    const configWith = (rules: JsonObject[]) => ({
      ...merge(backendConfig(port), accessWith(...externalAccess)),
      auth: { providers: { guest: {} }, apiGate: { allow: rules } },
    });
    const config = createReloadableConfig(configWith(allow));
    backend = await startBackend({
      port,
      rootConfig: config.feature,
      features: [recordingPlugin('hello').feature],
    });
    await send('/api/hello/used/a');
    config.change(configWith([allow[1], { ...allow[0], reason: 'new words' }]));
    const { usage } = await report();
    expect(
      usage!.rules.map(({ rule, requests30d }) => [rule, requests30d]),
    ).toEqual([
      ['auth.apiGate.allow[0]', 0],
      ['auth.apiGate.allow[1]', 1],
    ]);
  });
});
