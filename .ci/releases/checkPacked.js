// Installs the packed gate beside the packages of one of Backstage's releases, as npm does for an adopter, starts a backend
// with it, and runs its commands: `node .ci/releases/checkPacked.js FOLDER`. Fails if that release lacks anything else than its package.json
// says, from which `writeTable.js` writes the table of the releases.
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const { createRequire } = require('node:module');
const net = require('node:net');
const path = require('node:path');
const { pack } = require('../pack');
const { checkCommands } = require('./checkCommands');

const folder = path.resolve(process.argv[2]);
const modules = path.join(folder, 'node_modules');
const requireThere = createRequire(path.join(folder, 'package.json'));
const gate = require('../../package.json');

function install() {
  const tarballs = path.join(folder, 'node_modules/.packed');
  fs.rmSync(tarballs, { recursive: true, force: true });
  // `all` packs once for all releases.
  const tarball = pack(tarballs);
  fs.mkdirSync(tarballs, { recursive: true });
  execFileSync(
    'npm',
    ['install', '--no-save', '--no-package-lock', '--ignore-scripts'].concat(
      ['--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'],
      tarball,
    ),
    { cwd: folder, stdio: 'inherit' },
  );
  // As `run` does: the build of the main install serves.
  fs.rmSync(path.join(modules, 'better-sqlite3'), {
    recursive: true,
    force: true,
  });
}

function requireOneCopy() {
  const names = Object.keys({
    ...gate.dependencies,
    ...gate.peerDependencies,
    '@backstage/plugin-auth-backend': '',
  }).filter(
    name =>
      name.startsWith('@backstage/') && name !== '@backstage/backend-common',
  );
  const files = fs
    .readdirSync(folder, { recursive: true })
    .filter(file => file.endsWith('package.json'));
  for (const name of names) {
    const copies = files.filter(file =>
      file.endsWith(`node_modules/${name}/package.json`),
    );
    if (copies.length !== 1) {
      throw new Error(`Copies of ${name}: ${copies.join(', ') || 'none'}`);
    }
  }
  return names.length;
}

/** All of Backstage and of the gate must come from the release's folder, not from the main install above it. */
function requireFromHere() {
  const ours = [...Object.keys(gate.dependencies), gate.name];
  const strays = Object.keys(require.cache).filter(file => {
    const name = file.match(/.*node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1];
    const matters = name?.startsWith('@backstage/') || ours.includes(name);
    return matters && !file.startsWith(`${modules}${path.sep}`);
  });
  if (strays.length > 0) {
    throw new Error(`Loaded from elsewhere: ${strays.slice(0, 3).join(', ')}`);
  }
}

async function freePort() {
  return new Promise(resolve => {
    const server = net.createServer().listen(0, () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function createHelloPlugin() {
  const { coreServices, createBackendPlugin } = requireThere(
    '@backstage/backend-plugin-api',
  );
  return createBackendPlugin({
    pluginId: 'hello',
    register(reg) {
      reg.registerInit({
        deps: { httpRouter: coreServices.httpRouter },
        async init({ httpRouter }) {
          httpRouter.addAuthPolicy({ path: '/', allow: 'unauthenticated' });
          httpRouter.use((_, res) => res.json({ ok: true }));
        },
      });
    },
  });
}

async function startBackend(url, port) {
  process.env.NODE_ENV = 'development';
  const setting = (name, value) => {
    process.env[`APP_CONFIG_${name}`] = JSON.stringify(value);
  };
  setting('app_baseUrl', url);
  setting('backend_baseUrl', url);
  setting('backend_listen', `localhost:${port}`);
  setting('backend_database_client', 'better-sqlite3');
  setting('backend_database_connection', ':memory:');
  setting('auth_providers_guest', {});
  // The route that ends the refresh tokens of a user is there only if they are on.
  setting('auth_experimentalRefreshToken_enabled', true);
  setting('auth_apiGate_allow', [{ plugin: 'hello', path: '/public' }]);
  setting('auth_apiGate_operators', ['user:development/guest']);
  const empty = path.join(modules, '.packed/empty.yaml');
  fs.writeFileSync(empty, '{}\n');
  process.argv.push('--config', empty);

  const { createBackend } = requireThere('@backstage/backend-defaults');
  const backend = createBackend();
  for (const name of [
    '@backstage/plugin-auth-backend',
    '@backstage/plugin-auth-backend-module-guest-provider',
    gate.name,
  ]) {
    backend.add(Promise.resolve(requireThere(name)));
  }
  backend.add(createHelloPlugin());
  await backend.start();
  return backend;
}

/** What an adopter would try first. */
async function checkAnswers(url) {
  const expectStatus = async (expected, target, headers = {}, method = 'GET') =>
    fetch(`${url}${target}`, { method, headers }).then(response => {
      if (response.status !== expected) {
        throw new Error(
          `${method} ${target}: ${response.status} instead of ${expected}`,
        );
      }
      return response;
    });
  await expectStatus(401, '/api/hello/x');
  await expectStatus(401, '/api/absent/x');
  await expectStatus(200, '/api/hello/public');
  const signedIn = await expectStatus(200, '/api/auth/guest/refresh');
  const { token } = (await signedIn.json()).backstageIdentity;
  const bearer = { Authorization: `Bearer ${token}` };
  const answer = await expectStatus(200, '/api/hello/x', bearer);
  await expectStatus(404, '/api/absent/x', bearer);
  await checkCommands(modules, url);
  const cookie = answer.headers
    .getSetCookie()
    .map(header => header.split(';')[0])
    .find(pair => pair.startsWith('token=ey'));
  await expectStatus(200, '/api/hello/x', { Cookie: cookie });
  const signOut = '/api/hello/.backstage/auth/v1/cookie';
  await expectStatus(204, signOut, { Cookie: cookie }, 'DELETE');
  await expectStatus(401, '/api/hello/x', { Cookie: cookie });
  await expectStatus(401, '/api/hello/x', bearer);
}

/** Looks for what some releases lack. `writeTable.js` describes what the gate then does without. */
async function findMissing(url) {
  const { coreServices } = requireThere('@backstage/backend-plugin-api');
  const httpRouter = requireThere('@backstage/backend-defaults/httpRouter');
  const offline = '/api/auth/v1/offline-sessions/revoke';
  const { status } = await fetch(`${url}${offline}`, { method: 'POST' });
  const has = {
    rootSystemMetadata: 'rootSystemMetadata' in coreServices,
    addWebSocketHandler: 'createWebSocketRouter' in httpRouter,
    offlineSessions: status !== 404,
  };
  return Object.keys(has).filter(name => !has[name]);
}

async function main() {
  install();
  const checked = requireOneCopy();
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const backend = await startBackend(url, port);
  await checkAnswers(url);
  const missing = await findMissing(url);
  await backend.stop();
  requireFromHere();
  const { lacks = missing } = requireThere('./package.json').release;
  if (missing.join() !== lacks.join()) {
    throw new Error(
      `The release lacks ${missing}, and its package.json has ${lacks}`,
    );
  }
  console.log(
    `The packed gate works on Node ${process.versions.node}, and ${checked} packages of Backstage have one copy. Missing: ${missing.join(', ') || 'nothing'}`,
  );
}

main().then(
  () => process.exit(0),
  error => {
    console.error(error);
    process.exit(1);
  },
);
