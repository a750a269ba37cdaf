import { execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import type { JsonObject } from '@backstage/types';
import { FILE, startBackendProcess } from '../../__testUtils__/backendProcess';
import {
  blocksAfter,
  codeIn,
  documents,
  productSources,
  tableRows,
} from '../../__testUtils__/documents';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { bearer, COOKIE_ENDPOINT } from '../../__testUtils__/requestParts';
import {
  SignedBackendOptions,
  signedBackends,
} from '../../__testUtils__/signedBackends';
import { folderWith, runCliIn, writeInto } from '../../__testUtils__/runCli';
import { temporaryFolder } from '../../__testUtils__/temporaryFolder';
import { until } from '../../__testUtils__/until';

jest.setTimeout(120_000);

const backends = signedBackends();
afterEach(backends.stopAll);

/** Returns a function that starts the same backend, with the same database, each time. */
function createDeployment() {
  const directory = temporaryFolder();
  return (options: SignedBackendOptions) =>
    backends.start({
      ...options,
      apiGate: {
        allow: [{ plugin: 'hello', path: '/by-rule' }],
        ...options.apiGate,
      },
      features: [
        recordingPlugin('hello', {
          policies: [{ path: '/in-code', allow: 'unauthenticated' }],
        }).feature,
      ],
      config: {
        ...options.config,
        backend: {
          ...(options.config?.backend as JsonObject),
          database: { client: 'better-sqlite3', connection: { directory } },
        },
      },
    });
}

describe('docs/switch-off.md', () => {
  it('says what is open in report-only, and after the gate is removed', async () => {
    const start = createDeployment();
    const paths = ['/in-code', '/by-rule', '/other'];
    const statuses = (backend: Awaited<ReturnType<typeof start>>) =>
      Promise.all(paths.map(each => backend.statusOf(`/api/hello${each}`)));

    const gated = await start({});
    expect(await statuses(gated)).toEqual([401, 200, 401]);
    const token = await gated.sign();
    const { iss } = JSON.parse(
      Buffer.from(token.split('.')[1], 'base64url').toString(),
    );
    const port = Number(new URL(iss).port);
    const withToken = (backend: typeof gated) =>
      backend.statusOf('/api/hello/other', bearer(token));
    await gated.request('DELETE', `/api/hello${COOKIE_ENDPOINT}`, [
      bearer(token),
    ]);
    expect(await withToken(gated)).toBe(401);
    await gated.stop();

    const reporting = await start({ port, apiGate: { mode: 'report-only' } });
    expect(await statuses(reporting)).toEqual([200, 401, 401]);
    expect(await withToken(reporting)).toBe(401);
    await reporting.stop();

    // The settings of the gate are there still.
    const removed = await start({ withGate: false, port });
    expect(await statuses(removed)).toEqual([200, 401, 401]);
    expect(await withToken(removed)).toBe(200);
    await removed.stop();

    const open = await start({
      withGate: false,
      config: {
        backend: { auth: { dangerouslyDisableDefaultAuthPolicy: true } },
      },
    });
    expect(await statuses(open)).toEqual([200, 200, 200]);
  });

  it('is right that a setting of another version stops the start', async () => {
    await expect(
      backends.start({ apiGate: { settingOfALaterVersion: true } }),
    ).rejects.toThrow('auth.apiGate.settingOfALaterVersion is not known');
  });

  it('names the cookie that the gate has by default', async () => {
    const hello = recordingPlugin('hello');
    const { get, sign } = await backends.start({ features: [hello.feature] });
    const left = tableRows('docs/switch-off.md', ['What', 'Where']).map(
      ([what]) => codeIn(what),
    );
    const { headers } = await get('/api/hello/x', bearer(await sign()));
    expect(headers['set-cookie']).toMatch(new RegExp(`^${left[1][0]}=`));
  });

  it('has the commands that open again after report-only has ended, and that close', async () => {
    const printed = await initDaysAgo(15);
    const env: Record<string, string> = {};
    /** Starts the backend, and resolves to the status of a request and the lines of the gate's log. */
    const restart = async () => {
      const backend = await startBackendProcess({}, env, folder => {
        writeInto(folder, { 'gate.yaml': printed });
        return [FILE, 'gate.yaml'];
      });
      try {
        await until(async () => (await backend.probe())[0] === 200, 50_000);
        const status = await backend.statusOf('/api/open/x');
        await backend.waitForLogged('always public');
        return { status, lines: backend.logged('API gate') };
      } finally {
        await backend.stop();
      }
    };
    const follow = (heading: string) => {
      const [command] = blocksAfter('docs/switch-off.md', heading, 'sh');
      for (const change of runKubectl(command)) {
        const [, name, value] = change.match(/^(\w+)(?:=(.*)|-)$/)!;
        delete env[name];
        if (value !== undefined) {
          env[name] = value;
        }
      }
    };
    const [line] = blocksAfter(
      'docs/switch-off.md',
      'Report-only, now',
      'text',
    );

    const ended = await restart();
    expect(ended.status).toBe(401);
    const day = printed.match(/until: '(\S+)'/)![1];
    const says = ended.lines.map(each => JSON.parse(each));
    expect(says).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        message: `API gate enforces, since report-only has ended at ${day}T00:00:00.000Z: remove auth.apiGate.mode and auth.apiGate.until; to have the gate refuse nothing by its rules again, restart the backend with ${line}`,
      }),
    );
    const findings = says.flatMap(each => each.findings ?? []);
    expect(findings).toContainEqual({
      id: 'report-only-ends',
      severity: 'low',
      at: 'auth.apiGate.until',
      page: 'docs/configuration.md#until',
      why: `has ended report-only at ${day}T00:00:00.000Z, so that the gate enforces`,
      write: expect.stringContaining(line),
    });

    follow('Report-only, now');
    expect(env).toEqual(
      Object.fromEntries(line.split(' ').map(each => each.split('='))),
    );
    expect((await restart()).status).toBe(200);

    follow('Switch it on again');
    expect(env).toEqual({});
    expect((await restart()).status).toBe(401);
  });

  it('has the same line as each other place that names a variable of it', () => {
    const [line] = blocksAfter(
      'docs/switch-off.md',
      'Report-only, now',
      'text',
    );
    const named = [...documents, ...productSources()].flatMap(
      ({ file, text }) =>
        [...text.matchAll(/.*APP_CONFIG_auth_apiGate_\w+=.*/g)].map(
          ([found]) => ({ file, found }),
        ),
    );
    expect(named.map(({ file }) => file)).toContain('README.md');
    expect(named.filter(({ found }) => !found.includes(line))).toEqual([]);
  });
});

/** Resolves to what `api-gate init` has printed some days ago. */
async function initDaysAgo(days: number): Promise<string> {
  const cwd = folderWith({ [FILE]: 'backend: { baseUrl: http://localhost }' });
  const now = jest
    .spyOn(Date, 'now')
    .mockReturnValue(Date.now() - days * 24 * 60 * 60 * 1000);
  const { stdout } = await runCliIn(['init'], { cwd });
  now.mockRestore();
  return stdout;
}

/** Runs a command of a shell in which `kubectl` changes nothing, and returns the variables that it would change. */
function runKubectl(command: string): string[] {
  const folder = folderWith({ kubectl: '#!/bin/sh\nprintf "%s\\n" "$@"\n' });
  chmodSync(`${folder}/kubectl`, 0o755);
  const [set, env, deployment, ...changes] = execFileSync(
    'sh',
    ['-ec', command],
    {
      env: { PATH: `${folder}:${process.env.PATH}` },
      encoding: 'utf8',
    },
  )
    .trim()
    .split('\n');
  expect([set, env, deployment]).toEqual([
    'set',
    'env',
    'deployment/backstage',
  ]);
  return changes;
}
