import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { JsonObject, JsonValue } from '@backstage/types';
import { merge } from 'lodash';
import { configFromFiles } from '../__testUtils__/configFromFiles';
import { accessWith, staticToken } from '../__testUtils__/externalAccess';
import { folderWith, runCliHere, runCliIn } from '../__testUtils__/runCli';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { POLICY } from '../__testUtils__/requestParts';
import { signedBackends } from '../__testUtils__/signedBackends';
import { freePort } from '../__testUtils__/freePort';
import { startLegacyGate } from '../__testUtils__/startLegacyGate';
import { temporaryFolder } from '../__testUtils__/temporaryFolder';
import { until } from '../__testUtils__/until';

const KEY = 'events.modules.github.webhookSecret';
const RULE = {
  plugin: 'events',
  path: '/http/github',
  methods: ['POST'],
  requires: KEY,
};
const TARGET = '/api/events/http/github';
const REPORTER = 'reporter-token-of-this-test';

const backends = signedBackends();
let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(backends.stopAll);

const withSecret = (webhookSecret: JsonValue | undefined): JsonObject => ({
  ...accessWith(staticToken(REPORTER, 'reporter')),
  ...(webhookSecret !== undefined && {
    events: { modules: { github: { webhookSecret } } },
  }),
});

async function start(secret: JsonValue | undefined, apiGate: JsonObject = {}) {
  const events = recordingPlugin('events');
  const all = { allow: [RULE], ...apiGate };
  const backend = await backends.start({
    features: [events.feature],
    config: withSecret(secret),
    apiGate: all,
  });
  return {
    ...backend,
    handled: events.handled,
    post: async (target = TARGET) =>
      (await backend.request('POST', target)).status,
    /** Changes the secret, and settings of the gate. */
    set: (changed: JsonValue | undefined, more: JsonObject = {}) =>
      backend.change({
        config: withSecret(changed),
        apiGate: { ...all, ...more },
      }),
    describe: () => backend.policy(REPORTER),
  };
}

/** Returns what `api-gate explain` prints about the request, with a file and further arguments. */
const explain = async (file: string, ...args: string[]) =>
  (
    await runCliHere([
      ...['explain', '--config', file, ...args],
      `POST ${TARGET}`,
    ])
  ).stdout;

describe('a rule that requires a setting', () => {
  it.each<[JsonValue | undefined, number]>([
    ['a secret', 200],
    [undefined, 401],
    ['', 401],
    [' ', 401],
    [null, 401],
  ])('[P84] with %j at the start answers %d', async (secret, status) => {
    const backend = await start(secret);
    expect(await backend.post()).toBe(status);
    expect(backend.handled).toHaveLength(status === 200 ? 1 : 0);
    const { allow, findings, needsRestart } = await backend.describe();
    const unmet = status === 401 && { unmet: true };
    expect(allow).toEqual([{ ...RULE, installed: true, ...unmet }]);
    expect(needsRestart).toEqual([]);
    const ids = findings.map(({ id }) => id);
    expect(ids.includes('rule-requirement-not-met')).toBe(status === 401);
    expect(ids).not.toContain('open-webhook-without-secret');
    const [block] = backend.logged('API gate: enforce');
    expect(block.message).toContain(
      status === 200
        ? `POST ${TARGET}  (requires ${KEY})\n`
        : `POST ${TARGET}  (closed: ${KEY} was not set when the process started, or is not set now)\n`,
    );
    expect(JSON.stringify(backend.log)).not.toContain('a secret');
  });

  it.each<[JsonValue]>([[{ a: 'b' }], [['a']], [7], [true]])(
    '[P84] stops the start if the setting is %j',
    async secret => {
      await expect(start(secret)).rejects.toThrow(
        'auth.apiGate.allow[0].requires must be the config path of a setting that holds a text, such as events.modules.github.webhookSecret',
      );
    },
  );

  it('[P84] stops the start if a parent of the setting is no object, or if it is no config path', async () => {
    await expect(
      backends.start({ config: { events: 'x' }, apiGate: { allow: [RULE] } }),
    ).rejects.toThrow(
      'requires must be the config path of a setting that holds a text',
    );
    for (const requires of ['', 'a.b.', 'a[0].b', 'a b', 7, [KEY]]) {
      await expect(
        backends.start({ apiGate: { allow: [{ ...RULE, requires }] } }),
      ).rejects.toThrow(
        'auth.apiGate.allow[0].requires must be the config path of a setting that holds a text, such as events.modules.github.webhookSecret',
      );
    }
  });

  it('[P84] is closed at once when the setting is removed, and open when it is back', async () => {
    const backend = await start('a secret');
    expect(await backend.post()).toBe(200);
    for (const removed of [undefined, '', ' ']) {
      backend.set(removed);
      expect(await backend.post()).toBe(401);
      expect((await backend.describe()).needsRestart).toEqual([]);
      backend.set('another');
      expect(await backend.post()).toBe(200);
    }
    expect(
      backend.logged(`has closed /http/github of the plugin events`),
    ).toHaveLength(3);
    // A wrong value changes nothing.
    backend.set({ a: 'b' });
    expect(await backend.post()).toBe(200);
    expect(backend.logged('keeps its policy', 'error')).toHaveLength(1);
  });

  it('[P84] stays closed when the setting is added, until a restart', async () => {
    const backend = await start(undefined);
    backend.set('a secret');
    expect(await backend.post()).toBe(401);
    expect((await backend.describe()).needsRestart).toEqual([KEY]);
    // The command has the files, and asks the running backend what it started with.
    const file = path.join(folder, 'app-config.yaml');
    const settings = {
      ...withSecret('a secret'),
      auth: { apiGate: { allow: [RULE] } },
    };
    await writeFile(
      file,
      JSON.stringify(merge({ backend: { baseUrl: backend.url } }, settings)),
    );
    const variable = jest.replaceProperty(process, 'env', {
      ...process.env,
      REPORTER,
    });
    const asked = await explain(
      ...[file, '--policy', `${backend.url}${POLICY}`],
      ...['--token-env', 'REPORTER'],
    );
    variable.restore();
    expect(asked).toContain(
      'opens nothing without the setting that it requires',
    );
    expect(await explain(file)).toContain('public: a rule names it');
    expect(
      backend.logged(
        `${KEY} has changed, and takes effect after a restart`,
        'warn',
      ),
    ).toHaveLength(1);
    backend.set('a secret', {
      allow: [RULE, { plugin: 'events', path: '/x' }],
    });
    expect(await backend.post()).toBe(401);
    expect(await backend.statusOf('/api/events/x')).toBe(200);
    await backends.stopAll();
    expect(await (await start('a secret')).post()).toBe(200);
  });

  it('[P84] that a change adds is open if the setting was there at the start', async () => {
    const backend = await start('a secret', { allow: [] });
    expect(await backend.post()).toBe(401);
    backend.set('a secret', { allow: [RULE] });
    expect(await backend.post()).toBe(200);
  });

  it('[P84] opens nothing beside a rule that requires nothing, which stays open', async () => {
    const { requires, ...open } = RULE;
    for (const allow of [
      [RULE, open],
      [open, RULE],
      [{ ...RULE, path: '/http/**' }, open],
    ]) {
      const backend = await start(undefined, { allow });
      expect(await backend.post()).toBe(200);
      expect(await backend.post('/api/events/http/other')).toBe(401);
      await backends.stopAll();
    }
  });

  it('[P84] fulfils expectations as if the setting were there', async () => {
    const request = `POST ${TARGET}`;
    const expected = { expect: [{ request, is: 'public' }] };
    expect(await (await start(undefined, expected)).post()).toBe(401);
    await expect(
      start(undefined, { expect: [{ request, is: 'closed' }] }),
    ).rejects.toThrow(
      /should be closed, and is public by auth\.apiGate\.allow\[0\]/,
    );
  });

  it('[P84] is closed on the legacy system too', async () => {
    const gate = await startLegacyGate({
      apiGate: { allow: [{ ...RULE, plugin: 'pub' }] },
    });
    backends.add(gate);
    const url = `http://localhost:${gate.port}/api/pub/http/github`;
    expect((await fetch(url, { method: 'POST' })).status).toBe(401);
  });
});

describe('a rule that requires a variable of the environment', () => {
  const VARIABLE = 'API_GATE_TEST_SECRET';
  afterEach(() => {
    delete process.env[VARIABLE];
  });

  /** Starts a backend with a file, as operators do. */
  async function startWithFile() {
    const port = await freePort();
    const file = path.join(folder, 'app-config.yaml');
    const write = (secret: string) =>
      writeFile(
        file,
        `app: { baseUrl: http://localhost:3000 }
backend:
  baseUrl: http://localhost:${port}
  listen: { port: ${port}, host: localhost }
  database: { client: better-sqlite3, connection: ':memory:' }
auth:
  apiGate:
    allow: [${JSON.stringify(RULE)}]
events: { modules: { github: { webhookSecret: ${secret} } } }
`,
      );
    await write(`'\${${VARIABLE}}'`);
    const events = recordingPlugin('events');
    const backend = await backends.start({
      port,
      withAuth: false,
      features: [events.feature],
      rootConfig: configFromFiles(['--config', file], backends.add),
    });
    const post = async () => (await backend.request('POST', TARGET)).status;
    return { ...backend, explain: () => explain(file), post, write };
  }

  it('[P84] is closed if the variable is not set, and stays closed when the file has a text', async () => {
    const backend = await startWithFile();
    expect(await backend.post()).toBe(401);
    expect(await backend.explain()).toMatch(
      /\nneeds a credential: a rule names it, and opens nothing without the setting that it requires\nRule: auth\.apiGate\.allow\[0\] /,
    );
    await backend.write("'a secret'");
    await until(() => backend.logged(`${KEY} has changed`).length > 0);
    expect(await backend.post()).toBe(401);
    // The files alone do not have what the process started with.
    expect(await backend.explain()).toContain('public: a rule names it');
  });

  it('[P84] is open if the variable is set, and closed at once when the file lacks it', async () => {
    process.env[VARIABLE] = 'a secret';
    const backend = await startWithFile();
    expect(await backend.post()).toBe(200);
    await backend.write("''");
    await until(async () => (await backend.post()) === 401);
  });
});

it('[P84] check and diff treat every requirement as met', async () => {
  const base = 'backend: { baseUrl: http://a.example.com }\n';
  const cwd = folderWith({
    'base/app-config.yaml': base,
    'app-config.yaml': `${base}auth: { apiGate: { allow: [${JSON.stringify(RULE)}], expect: [{ request: POST ${TARGET}, is: public }] } }\n`,
  });
  const checked = await runCliIn(['check', '--fail-on', 'findings'], { cwd });
  expect(checked.stdout).toMatch(
    /POST \/api\/events\/http\/github {2}\(requires events\.modules\.github\.webhookSecret\)\n[^]*1 of 1 expectations hold, 0 findings\n/,
  );
  expect(checked.code).toBe(0);
  const compared = await runCliIn(
    ['diff', '--against', 'base', '--fail-on', 'new-public'],
    { cwd },
  );
  expect(compared.stdout).toMatch(
    /^\+ public {2}POST \/api\/events\/http\/github {2}auth\.apiGate\.allow\[0\] {2}\(requires events/,
  );
  expect(compared.code).toBe(1);
});
