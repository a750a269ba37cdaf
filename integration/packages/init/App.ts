import { execFile, execFileSync } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { JsonObject } from '@backstage/types';
import { stringify } from 'yaml';
import { freePort } from '../../../src/__tests__/__testUtils__/freePort';
import { BackendProcess } from '../../BackendProcess';
import type { Run } from '../../runChecks';
import { addOwnPlugin, OWN_PLUGIN } from './ownPlugin';

const MODULES = path.join(__dirname, 'node_modules');

const SOURCES = 'packages/backend/src';

const INDEX = `${SOURCES}/index.ts`;

const MANIFEST = 'packages/backend/package.json';

/** The token of a service that may read the policy. */
export const POLICY_TOKEN = 'token-of-the-policy-reader';

const CREATE_APP = path.join(MODULES, '@backstage/create-app');

/** What an adopter adds to the backend of a new app. */
const ADDED = [
  '@backstage/plugin-events-backend',
  '@backstage/plugin-events-backend-module-github',
  '@backstage-community/plugin-badges-backend',
  'backstage-plugin-auth-backend-module-api-gate',
  './catalogExport',
  OWN_PLUGIN,
];

/** A module that opens a path of the catalog to everybody, as somebody once needed it. */
const CATALOG_EXPORT = `
import { coreServices, createBackendModule } from '@backstage/backend-plugin-api';
import { Router } from 'express';

export default createBackendModule({
  pluginId: 'catalog',
  moduleId: 'export',
  register(reg) {
    reg.registerInit({
      deps: { httpRouter: coreServices.httpRouter },
      async init({ httpRouter }) {
        const router = Router();
        router.get('/export', (_req, res) => res.json({ owners: ['jane'] }));
        httpRouter.use(router);
        httpRouter.addAuthPolicy({ path: '/export', allow: 'unauthenticated' });
      },
    });
  },
});
`;

/** An app as `create-app` makes it, with a backend that was added to. */
export class App {
  private constructor(
    private readonly run: Run,
    readonly folder: string,
    readonly port: number,
  ) {}

  /** @param configFor - the configuration of the site, for a port */
  static async create(
    run: Run,
    configFor: (port: number) => JsonObject,
  ): Promise<App> {
    const folder = path.join(run.folder, 'app');
    const { templatingTask } = require(`${CREATE_APP}/dist/lib/tasks.cjs.js`);
    await templatingTask(`${CREATE_APP}/templates/default-app`, folder, {
      name: 'app',
      defaultBranch: 'master',
    });
    execFileSync('git', ['init', '--quiet'], { cwd: folder });
    symlinkSync(MODULES, path.join(folder, 'node_modules'));
    const app = new App(run, folder, await freePort());
    app.write(`${SOURCES}/catalogExport.ts`, CATALOG_EXPORT);
    addOwnPlugin(folder);
    const manifest = JSON.parse(app.read(MANIFEST));
    for (const name of ADDED.filter(each => !each.startsWith('.'))) {
      manifest.dependencies[name] = '*';
    }
    app.write(MANIFEST, JSON.stringify(manifest));
    const lines = ADDED.map(name => `backend.add(import('${name}'));\n`);
    app.write(
      INDEX,
      app
        .read(INDEX)
        .replace('backend.start();', `${lines.join('')}backend.start();`),
    );
    app.write('app-config.site.yaml', stringify(configFor(app.port)));
    return app;
  }

  read(file: string): string {
    return readFileSync(path.join(this.folder, file), 'utf8');
  }

  write(file: string, text: string): void {
    writeFileSync(path.join(this.folder, file), text);
  }

  /** Starts the backend with further files of configuration. */
  async start(...files: string[]): Promise<BackendProcess> {
    const url = `http://localhost:${this.port}`;
    const backend = new BackendProcess('app', this.port, {
      module: path.join(__dirname, 'backend.ts'),
      logFile: path.join(this.run.folder, 'app.log'),
      logLevel: 'info',
      config: {
        ...{ url, index: path.join(this.folder, INDEX) },
        configFiles: this.#configFiles(files),
      },
      // The guest provider signs in for developers only.
      env: { NODE_ENV: 'development' },
      cwd: path.join(this.folder, 'packages/backend'),
    });
    this.run.atExit.push(() => backend.killNow());
    await backend.start();
    return backend;
  }

  /** Runs the packed command in the workspace of the backend, with further files of configuration. */
  async apiGate(
    command: string,
    files: string[],
    ...args: string[]
  ): Promise<string> {
    const configs = this.#configFiles(files).flatMap(file => [
      '--config',
      file,
    ]);
    const { stdout } = await promisify(execFile)(
      path.join(MODULES, '.bin/api-gate'),
      [command, ...configs, ...args],
      { cwd: path.join(this.folder, 'packages/backend') },
    );
    return stdout;
  }

  /** Edits a file by hand, as `sed` does it. */
  edit(file: string, to: string, ...expressions: string[]): void {
    const args = expressions.flatMap(expression => ['-e', expression]);
    const edited = execFileSync('sed', ['-E', ...args, file], {
      cwd: this.folder,
      encoding: 'utf8',
    });
    this.write(to, edited);
  }

  #configFiles(files: string[]): string[] {
    return ['app-config.yaml', 'app-config.site.yaml', ...files].map(
      file => `../../${file}`,
    );
  }
}
