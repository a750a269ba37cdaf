import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../../../src/__tests__/__testUtils__/documents';

/** A plugin of the app itself, in TypeScript, which opens one path to everybody. */
export const OWN_PLUGIN = '@internal/plugin-todo-backend';

const FOLDER = 'plugins/todo-backend';

const MANIFEST = {
  name: OWN_PLUGIN,
  version: '0.1.0',
  main: 'src/index.ts',
  types: 'src/index.ts',
  publishConfig: { main: 'dist/index.cjs.js', types: 'dist/index.d.ts' },
  backstage: { role: 'backend-plugin', pluginId: 'todo' },
  dependencies: { '@backstage/backend-plugin-api': '*', express: '*' },
};

const SOURCE = `
import { coreServices, createBackendPlugin } from '@backstage/backend-plugin-api';
import { Router } from 'express';

export default createBackendPlugin({
  pluginId: 'todo',
  register(env) {
    env.registerInit({
      deps: { httpRouter: coreServices.httpRouter },
      async init({ httpRouter }) {
        const router = Router();
        router.get('/count', (_req, res) => {
          res.json({ open: 3 });
        });
        httpRouter.use(router);
        httpRouter.addAuthPolicy({ path: '/count', allow: 'unauthenticated' });
      },
    });
  },
});
`;

function write(app: string, file: string, text: string): void {
  const target = path.join(app, file);
  mkdirSync(path.dirname(target), { recursive: true });
  writeFileSync(target, text);
}

/** Adds the plugin to an app, with a link to it for the backend, as the workspaces of Yarn have it. */
export function addOwnPlugin(app: string): void {
  write(app, `${FOLDER}/package.json`, JSON.stringify(MANIFEST));
  write(app, `${FOLDER}/src/index.ts`, SOURCE);
  // The node_modules of the app are those of this suite.
  const link = path.join(app, 'packages/backend/node_modules', OWN_PLUGIN);
  mkdirSync(path.dirname(link), { recursive: true });
  symlinkSync(path.join(app, FOLDER), link);
}

/** Builds the plugin, as `yarn workspace @internal/plugin-todo-backend build` does it after `yarn tsc`. */
export function buildOwnPlugin(app: string): void {
  const types = 'declare const _default: unknown;\nexport default _default;\n';
  write(app, `dist-types/${FOLDER}/src/index.d.ts`, types);
  // It extends that of @backstage/cli, which is in the main install only.
  rmSync(path.join(app, 'tsconfig.json'));
  const cli = path.join(root, 'node_modules/.bin/backstage-cli');
  const cwd = path.join(app, FOLDER);
  execFileSync(cli, ['package', 'build'], { cwd, stdio: 'pipe' });
}
