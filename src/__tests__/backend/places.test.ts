import type { JsonObject, JsonValue } from '@backstage/types';
import { set } from 'lodash';
import { stringify } from 'yaml';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { folderWith, runCliIn } from '../__testUtils__/runCli';
import { signedBackends } from '../__testUtils__/signedBackends';

const backends = signedBackends();
afterEach(backends.stopAll);

const BLOCK = {
  mode: 'report-only',
  allow: [{ plugin: 'pub', path: '/open' }],
};

/** Creates settings with a value at a place. */
const at = (place: string[], value: JsonValue = BLOCK): JsonObject =>
  set({}, place, value);

const BLOCK_IS = ' is not known: write auth.apiGate, ';
const SETTING_IS =
  ' is a setting of the gate at the wrong place: move it below auth.apiGate';

/** Settings, and what each message about them begins with. */
const misplaced: [message: string, settings: JsonObject][] = [
  ...[
    ['apiGate'],
    ['backend', 'apiGate'],
    ['backend', 'auth', 'apiGate'],
    ['auth', 'providers', 'apiGate'],
    ['auth', 'environment', 'apiGate'],
    ['catalog', 'providers', 'github', 'apiGate'],
    ['Auth', 'apiGate'],
    // Another spelling, where it can only be meant for the gate.
    ['api-gate'],
    ['backend', 'apigate'],
    ['backend', 'auth', 'api_gate'],
    ['Auth', 'apigate'],
  ].map((place): (typeof misplaced)[number] => [
    place.join('.') + BLOCK_IS,
    at(place),
  ]),
  [`apiGate${BLOCK_IS}`, { apiGate: {} }],
  [`other[1].apiGate${BLOCK_IS}`, { other: [1, { apiGate: BLOCK }] }],
  [`auth.list[0].apiGate${BLOCK_IS}`, { auth: { list: [{ apiGate: {} }] } }],
  // Backstage does not split these keys.
  [`"auth.apiGate"${BLOCK_IS}`, { 'auth.apiGate': BLOCK }],
  [`auth."apiGate.mode"${BLOCK_IS}`, { auth: { 'apiGate.mode': 'enforce' } }],
  [`auth.allow${SETTING_IS}`, { auth: { allow: BLOCK.allow } }],
  [
    `auth.allow${SETTING_IS}`,
    { auth: { apiGate: { mode: 'enforce' }, allow: [{}, { plugin: 5 }] } },
  ],
  [
    `auth.mode${SETTING_IS}`,
    { auth: { mode: 'report-only', apiGate: { allow: BLOCK.allow } } },
  ],
  [`auth.closed${SETTING_IS}`, { auth: { closed: ['pub'], apiGate: null } }],
  [`auth.tokens${SETTING_IS}`, { auth: { tokens: [{ subject: 'ci' }] } }],
];

/** Settings that are no mistake, or may be none: `auth` is Backstage's own. */
const accepted: JsonObject[] = [
  at(['app', 'apiGate']),
  at(['app', 'extensions', 'apiGate']),
  at(['dynamicPlugins', 'frontend', 'x', 'apiGate']),
  at(['proxy', 'endpoints', 'apiGate']),
  at(['catalog', 'providers', 'api-gate']),
  at(['auth', 'providers', 'apigate']),
  at(['apiGates']),
  { auth: { allow: ['https://example.com'], tokens: [] } },
  { auth: { allow: [{ plugin: 'pub' }], apiGate: { allow: [] } } },
  { auth: { allow: { plugin: 'pub' }, mode: 'enforce', cookie: {} } },
];

const named = <T extends unknown[]>(rows: T[], of: (row: T) => unknown) =>
  rows.map(row => [JSON.stringify(of(row)), ...row] as const);

const start = (config: JsonObject, apiGate?: JsonObject) => {
  const pub = recordingPlugin('pub');
  return backends.start({
    apiGate,
    config,
    withAuth: false,
    features: [pub.feature],
  });
};

function run(args: string[], files: Record<string, JsonObject>) {
  const cwd = folderWith(
    Object.fromEntries(
      Object.entries(files).map(([name, data]) => [name, stringify(data)]),
    ),
  );
  return runCliIn(args, { cwd });
}

const backend = { baseUrl: 'http://localhost:7007' };
const GATED = { backend, auth: { apiGate: BLOCK } };
const COMMANDS = [
  ['check'],
  ['check', '--no-config'],
  ['explain', 'GET /api/pub/open'],
  ['report'],
  ['init'],
];

describe('[P102] settings of the gate at a wrong place', () => {
  it.each(named(misplaced, ([, settings]) => settings))(
    'stop the start, and each command: %s',
    async (_, message, settings) => {
      await expect(start(settings)).rejects.toThrow(message);
      for (const command of COMMANDS) {
        const { code, stdout, stderr } = await run(command, {
          'app-config.yaml': { backend, ...settings },
        });
        expect(stderr).toContain(message);
        expect([code, stdout]).toEqual([2, '']);
      }
    },
  );

  it.each([
    ['apiGate', { apiGate: {} }, 3],
    ['auth.providers.apiGate', at(['auth', 'providers', 'apiGate'], {}), 5],
    ['auth.allow', { auth: { allow: BLOCK.allow } }, 4],
  ])('are named with file and line: %s', async (place, settings, line) => {
    const { stderr } = await run(['check'], {
      'app-config.yaml': { backend, ...settings },
    });
    expect(stderr).toContain(`error: app-config.yaml:${line}: ${place} is `);
  });

  it.each(accepted.map(settings => [JSON.stringify(settings), settings]))(
    'stop nothing where they may be meant for something else: %s',
    async (_, settings) => {
      const { statusOf } = await start(settings as JsonObject);
      expect(await statusOf('/api/pub/open')).toBe(401);
    },
  );

  it('are rejected in a changed file, and the former policy stays', async () => {
    const { allow } = BLOCK;
    const { change, logged, statusOf } = await start({}, { allow });
    for (const [message, settings] of misplaced) {
      change({ config: settings });
      expect(logged(`is wrong: ${message}`, 'error')).not.toEqual([]);
      expect(await statusOf('/api/pub/open')).toBe(200);
    }
    change({ apiGate: {} });
    expect(await statusOf('/api/pub/open')).toBe(401);
  });
});

describe('[P102] auth.apiGate in none of the files that a command reads', () => {
  const MISSING = 'auth.apiGate is in none of the files read: ';
  const FILES = {
    'app-config.yaml': { backend },
    // `apiGate` without a value is none.
    'empty.yaml': { backend, auth: { apiGate: null } },
    'gated.yaml': GATED,
  };
  const read = (file: string) => ['--config', file];

  it.each<[code: number, args: string[]]>([
    [1, ['check']],
    [1, ['check', '--format', 'github']],
    [1, ['explain', 'GET /api/pub/open']],
    [0, ['report']],
  ])('ends with %i, and says so: %j', async (expected, args) => {
    for (const file of ['app-config.yaml', 'empty.yaml']) {
      const result = await run([...args, ...read(file)], FILES);
      expect(result.stderr + result.stdout).toContain(MISSING);
      expect(result.code).toBe(expected);
    }
  });

  it('fails in check with what to write', async () => {
    const { stdout } = await run(['check', ...read('empty.yaml')], FILES);
    expect(stdout).toContain(
      `error: empty.yaml:4: ${MISSING}give --config for each file that the backend reads, or --no-config if none has it\n`,
    );
  });
});
