import type { JsonObject } from '@backstage/types';
import { tableRows } from '../__testUtils__/documents';
import { accessWith, staticToken } from '../__testUtils__/externalAccess';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { bearer, cookie } from '../__testUtils__/requestParts';
import { SignedBackend, signedBackends } from '../__testUtils__/signedBackends';
import { temporaryFolder } from '../__testUtils__/temporaryFolder';
import { usageProbe } from '../__testUtils__/usageProbe';

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

const ofCi = bearer(tokenOf('ci-deploy'));

const backends = signedBackends();
afterEach(backends.stopAll);

let backend: SignedBackend;
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
  backend = await backends.start({
    features: [callingPlugin('hello').feature, other.feature, probe.feature],
    config: { backend: { auth: { externalAccess }, ...settings } },
    apiGate: { allow, ...apiGate },
  });
  return backend;
}

const report = () => backend.policy(tokenOf('reporter'));

const today = () => new Date().toISOString().slice(0, 10);

describe('the record of use in a backend', () => {
  it('[P29] has the last use of each rule, and how many requests had no credential', async () => {
    const { get, request } = await start();
    await get('/api/hello/used/a');
    await request('HEAD', '/api/hello/used/a?x=1');
    await request('POST', '/api/hello/used/b', [bearer('not-valid')]);
    await get('/api/hello/used/b', cookie('not-valid'));
    // None of these is public.
    await request('POST', '/api/hello/unused');
    await get('/api/hello/unused/x');
    await get('/api/hello/unused//');
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
        installed: true,
      },
      expect.objectContaining({ lastUsed: null, installed: false }),
    ]);
  });

  it('[P31] has the plugins that each external token has called, and those that handlers called for it', async () => {
    const { get, statusOf } = await start();
    for (const target of ['other/y', 'hello/x', 'hello/calls/auth']) {
      expect(await statusOf(`/api/${target}`, ofCi)).toBe(200);
    }
    const ofReader = bearer(tokenOf('reader'));
    await get('/api/hello/x', ofReader);
    expect(await statusOf('/api/other/x', ofReader)).toBe(403);
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
    const { guest, statusOf } = await start();
    const target = '/api/hello/calls/auth';
    for (const token of [await guest(), await other.tokenFor('hello')]) {
      expect(await statusOf(target, bearer(token))).toBe(200);
    }
    expect(await statusOf(target, bearer('not-valid'))).toBe(401);
    await probe.sync();
    const names = (await probe.rows()).map(({ name }) => name);
    expect(new Set(names.filter(name => !/^(GET|POST) /.test(name)))).toEqual(
      new Set(externalAccess.map(({ options: { subject } }) => subject)),
    );
  });

  it('has the fields of docs/usage.md for each rule and token', async () => {
    const { get } = await start();
    await get('/api/hello/calls/other', ofCi);
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
    const { get } = await start();
    await get('/api/hello/x', ofCi);
    await get('/api/absent/x', ofCi);
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
    const { get } = await start();
    const forged = Array.from({ length: 300 }, (_, i) => `secret-${i}`);
    for (let i = 0; i < forged.length; i += 50) {
      await Promise.all(
        forged
          .slice(i, i + 50)
          .map(n => get(`/api/hello/${n}?q=${n}`, bearer(`${n}-of-nobody`))),
      );
    }
    await get('/api/hello/used/secret-path?q=secret', bearer('secret'));
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
    const { get } = await start({}, { database });
    await get('/api/hello/used/a');
    await get('/api/hello/calls/other', ofCi);
    const block = () =>
      backend
        .logged('API gate: enforce')[0]
        .message.replace(/\n {2}As a page.*$/, '');
    expect(block()).not.toContain('Use,');
    await probe.letPass(30);
    await backends.stopAll();
    await start({}, { database });
    expect(
      block().split('Use, at the running backend:\n')[1].split('\n'),
    ).toEqual(
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
    const { get } = await start({ usage: false });
    await get('/api/hello/used/a');
    await probe.sync();
    expect((await report()).usage).toBeUndefined();
    expect(await probe.hasTable()).toBe(false);
  });

  it('follows a change of the rules', async () => {
    const { change, get } = await start();
    await get('/api/hello/used/a');
    change({
      config: accessWith(...externalAccess),
      apiGate: { allow: [allow[1], { ...allow[0], reason: 'new words' }] },
    });
    const { usage } = await report();
    expect(
      usage!.rules.map(({ rule, requests30d }) => [rule, requests30d]),
    ).toEqual([
      ['auth.apiGate.allow[0]', 0],
      ['auth.apiGate.allow[1]', 1],
    ]);
  });
});
