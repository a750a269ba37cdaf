import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { JsonObject } from '@backstage/types';
import { mergeWith } from 'lodash';
import { staticToken } from '../../../src/__tests__/__testUtils__/externalAccess';
import { freePort } from '../../../src/__tests__/__testUtils__/freePort';
import { BackendProcess } from '../../BackendProcess';
import { send } from '../../http';
import { expectEqual } from '../../Report';
import type { Run } from '../../runChecks';

export const GATE = 'backstage-plugin-auth-backend-module-api-gate';

/** Removes what the gate uses of Node, as `reduce.js` what it uses of Backstage. */
const REDUCED_RELEASE = path.join(
  __dirname,
  '../../../dev/jest/reducedRelease.js',
);

/** Returns the package of a plugin or module of Backstage. */
export const packageOf = (name: string) => `@backstage/plugin-${name}`;

/** The plugins and modules of the backend that create-app makes. */
const PLUGINS = [
  'app-backend',
  'proxy-backend',
  'scaffolder-backend',
  'scaffolder-backend-module-notifications',
  'techdocs-backend',
  'auth-backend',
  'auth-backend-module-guest-provider',
  'catalog-backend',
  'catalog-backend-module-scaffolder-entity-model',
  'catalog-backend-module-logs',
  'permission-backend',
  'permission-backend-module-allow-all-policy',
  'search-backend',
  'search-backend-module-catalog',
  'search-backend-module-techdocs',
  'kubernetes-backend',
  'user-settings-backend',
  'notifications-backend',
  'signals-backend',
  'mcp-actions-backend',
].map(packageOf);

/** The backend that create-app makes, with the gate. */
export const APP = [...PLUGINS, GATE];

export const USER = 'user:development/guest';

/** The token of an external service that has no access restrictions. */
export const EXTERNAL_TOKEN = 'external-token-of-this-test';

const ENTITIES = [
  {
    apiVersion: 'backstage.io/v1alpha1',
    kind: 'User',
    metadata: { name: 'guest', namespace: 'development' },
    spec: { memberOf: [] },
  },
  {
    apiVersion: 'scaffolder.backstage.io/v1beta3',
    kind: 'Template',
    metadata: { name: 'notify' },
    spec: {
      owner: USER,
      type: 'service',
      steps: [
        {
          action: 'notification:send',
          input: {
            recipients: 'entity',
            entityRefs: [USER],
            title: 'It is done',
          },
        },
      ],
    },
  },
];

const configAt = (port: number, entities: string) => ({
  app: { title: 'Stock app', baseUrl: `http://localhost:${port}` },
  backend: {
    baseUrl: `http://localhost:${port}`,
    listen: { host: 'localhost', port },
    database: { client: 'better-sqlite3', connection: ':memory:' },
    actions: { pluginSources: ['auth', 'catalog', 'scaffolder'] },
    auth: { externalAccess: [staticToken(EXTERNAL_TOKEN, 'external')] },
  },
  auth: {
    providers: { guest: { dangerouslyAllowOutsideDevelopment: true } },
    apiGate: {
      allow: [{ plugin: 'caller', path: '/public' }],
      expect: [
        { request: 'GET /api/caller/public', is: 'public' },
        { request: 'GET /api/catalog/entities', is: 'closed' },
        { plugin: 'scaffolder', is: 'closed' },
      ],
    },
  },
  catalog: {
    rules: [{ allow: ['Template', 'User'] }],
    locations: [{ type: 'file', target: entities }],
  },
  permission: { enabled: true },
  techdocs: { builder: 'external', publisher: { type: 'local' } },
});

/** The backend that create-app makes, in a process of its own, on the reduced release (see `reduce.js`). */
export class StockBackend {
  private constructor(
    readonly child: BackendProcess,
    private readonly file: string,
  ) {}

  /**
   * @param options.packages - those of the backend, default {@link APP}
   * @param options.config - what the configuration has besides, and lists in place of its own
   * @param options.without - features in place of those that the release lacks
   */
  static async create(
    run: Run,
    options: {
      packages?: string[];
      config?: JsonObject;
      without?: string;
    } = {},
  ): Promise<StockBackend> {
    const { packages = APP, config = {}, without } = options;
    const port = await freePort();
    const folder = path.join(run.folder, String(port));
    mkdirSync(folder);
    const entities = path.join(folder, 'entities.yaml');
    const documents = ENTITIES.map(entity => JSON.stringify(entity));
    writeFileSync(entities, documents.join('\n---\n'));
    const file = path.join(folder, 'app-config.yaml');
    const merged = mergeWith(configAt(port, entities), config, (own, other) =>
      Array.isArray(own) ? other : undefined,
    );
    writeFileSync(file, JSON.stringify(merged));
    const child = new BackendProcess('stock', port, {
      module: path.join(__dirname, 'backend.js'),
      config: { file, plugins: packages },
      logFile: path.join(folder, 'backend.log'),
      logLevel: 'info',
      env: {
        ...(without && { API_GATE_TEST_WITHOUT: without }),
        NODE_ENV: 'production',
        NODE_OPTIONS: [
          process.env.NODE_OPTIONS ?? '',
          `--require ${REDUCED_RELEASE}`,
        ].join(' '),
      },
      cwd: __dirname,
    });
    run.atExit.push(() => child.killNow());
    return new StockBackend(child, file);
  }

  get port(): number {
    return this.child.port;
  }

  /** Returns the lines of the log, which are JSON, but for those that are not Backstage's. */
  get logged(): { level: string; message: string; [key: string]: unknown }[] {
    return this.child.log
      .split('\n')
      .filter(line => line.startsWith('{'))
      .map(line => JSON.parse(line));
  }

  /**
   * Returns what the log says to be missing.
   *
   * @throws Error unless one line names each of these features and no other, and a finding says so
   */
  nameLogged(features: string[]): string {
    const lines = this.logged
      .map(({ message }) => message)
      .filter(message => message.startsWith('API gate lacks features'));
    expectEqual('lines', lines.length, features.length > 0 ? 1 : 0);
    const named = lines.flatMap(line => [
      ...line.matchAll(/[:;] ([a-z-]+): /g),
    ]);
    const ids = named.map(([, id]) => id);
    expectEqual('features', ids.sort(), [...features].sort());
    const isFound = this.child.log.includes('[reduced-on-this-release]');
    expectEqual('a finding', isFound, features.length > 0);
    return features.join(', ') || 'nothing is missing';
  }

  /** Sends a request, and returns the status and the JSON of the answer. */
  async ask(
    token: string,
    target: string,
    options: { method?: string; body?: object } = {},
  ): Promise<{ status: number; body: any }> {
    const { status, body } = await send(this.port, {
      ...options,
      path: target,
      bearer: token,
      headers: { 'Content-Type': 'application/json' },
      body: options.body && JSON.stringify(options.body),
    });
    return { status, body: body && JSON.parse(body) };
  }

  /** Runs the packed command on the backend, and returns what it prints. Rejects unless it exits with 0. */
  async checkLive(): Promise<string> {
    const { stdout } = await promisify(execFile)(
      path.join(__dirname, 'node_modules', GATE, 'bin/api-gate'),
      [
        ...['check', '--config', this.file],
        ...['--live', `http://localhost:${this.port}`, '--times', '2'],
      ],
      { cwd: __dirname },
    );
    return stdout;
  }
}
