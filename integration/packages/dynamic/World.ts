import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { JsonObject } from '@backstage/types';
import { stringify } from 'yaml';
import { freePort } from '../../../src/__tests__/__testUtils__/freePort';
import { BackendProcess } from '../../BackendProcess';
import { postgresUrl, Run } from '../../runChecks';

/** The root of the backend's installation, as `/opt/app-root/src` is in Red Hat Developer Hub. */
const BACKEND = path.join(__dirname, 'backend');

/** The token of a service that may read the policy. */
export const READER_TOKEN = 'token-of-the-policy-reader';

/** The name of the exported package, and of its folder among the dynamic plugins. */
export const GATE_DYNAMIC =
  'backstage-plugin-auth-backend-module-api-gate-dynamic';

/** A plugin of an adopter, in each folder of dynamic plugins: file of `dev` and name of its export. */
const FIXTURES = {
  hello: ['openPlugins', 'helloPlugin'],
  docs: ['openPlugins', 'docsPlugin'],
  'visitor-provider': ['visitorProvider', 'visitorProvider'],
};

/** A backend with its folder of dynamic plugins. */
export interface DynamicBackend extends BackendProcess {
  url: string;
  /** The folder of the gate among the dynamic plugins. */
  gateFolder: string;
}

const configOf = (name: string, port: number, plugins: string): JsonObject => ({
  app: { baseUrl: `http://localhost:${port}` },
  backend: {
    baseUrl: `http://localhost:${port}`,
    listen: { host: 'localhost', port },
    database: {
      client: 'pg',
      connection: postgresUrl(),
      prefix: `${name}_`,
    },
    auth: {
      externalAccess: [
        { type: 'static', options: { token: READER_TOKEN, subject: 'reader' } },
      ],
    },
  },
  auth: { providers: { visitor: {} } },
  dynamicPlugins: { rootDirectory: plugins },
});

/** Creates backends that load the exported gate, and the plugins `hello` and `docs`, at run time. */
export class World {
  /** @param tarball - the exported package, as `npm pack` makes it */
  constructor(
    private readonly run: Run,
    private readonly tarball: string,
  ) {}

  /**
   * Creates a backend without starting it.
   *
   * @param name - of small letters, as its databases are named by it
   * @param options.pluginConfig - the configuration beside the gate in `dynamic-plugins.yaml`, which an init container writes to a file
   * @param options.env - variables of the container
   */
  async create(
    name: string,
    options: { pluginConfig: JsonObject; env?: Record<string, string> },
  ): Promise<DynamicBackend> {
    const { atExit, folder } = this.run;
    const plugins = mkdtempSync(path.join(BACKEND, 'dynamic-plugins-root-'));
    // The packages in it are thousands of files, for which these commands take a fraction of the time that Node takes.
    atExit.push(() => execFileSync('rm', ['-rf', plugins]));
    const gateFolder = path.join(plugins, GATE_DYNAMIC);
    mkdirSync(gateFolder);
    execFileSync('tar', [
      '-xzf',
      this.tarball,
      '-C',
      gateFolder,
      '--strip-components=1',
    ]);
    Object.entries(FIXTURES).forEach(([id, [file, field]]) =>
      addPlugin(path.join(plugins, id), file, field),
    );
    const port = await freePort();
    const url = `http://localhost:${port}`;
    const write = (file: string, config: JsonObject) => {
      const target = path.join(folder, `${name}-${file}`);
      writeFileSync(target, stringify(config));
      return target;
    };
    const configFiles = [
      write('app-config.yaml', configOf(name, port, plugins)),
      write('app-config.dynamic-plugins.yaml', options.pluginConfig),
    ];
    const backend = new BackendProcess(name, port, {
      module: path.join(BACKEND, 'backend.ts'),
      logFile: path.join(folder, `${name}.log`),
      logLevel: 'info',
      config: { configFiles },
      // As in the container, whose log has one JSON object in each line.
      // The configuration of the page names the secret.
      env: {
        NODE_ENV: 'production',
        GITHUB_WEBHOOK_SECRET: 'a secret',
        ...options.env,
      },
      cwd: BACKEND,
    });
    atExit.push(() => backend.killNow());
    return Object.assign(backend, { url, gateFolder });
  }
}

/** Adds a plugin that was built elsewhere to a folder of dynamic plugins. */
function addPlugin(folder: string, file: string, field: string): void {
  mkdirSync(folder);
  const manifest = {
    name: `${path.basename(folder)}-dynamic`,
    version: '1.0.0',
    main: 'index.js',
    backstage: { role: 'backend-plugin' },
  };
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify(manifest));
  const module = path.resolve(__dirname, '../../../dev', `${file}.ts`);
  writeFileSync(
    path.join(folder, 'index.js'),
    `exports.default = require(${JSON.stringify(module)}).${field};`,
  );
}

/** Returns the lines of a backend's log at a level. */
export function linesAt(
  { log }: BackendProcess,
  ...levels: string[]
): string[] {
  return log
    .split('\n')
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line))
    .filter(({ level }) => levels.includes(level))
    .map(({ message }) => String(message));
}
