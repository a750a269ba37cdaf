// Loads the packed tarball, as `npm publish` would send it, in a backend, and asks that backend one question. The other entry
// point, for the legacy system, is loaded by its name.
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const { createRequire } = require('node:module');
const net = require('node:net');
const path = require('node:path');
const { pack } = require('./pack');

const root = path.resolve(__dirname, '..');
// Below node_modules, so that its requires find what is installed there.
const folder = path.join(root, 'node_modules', '.check-pack');

async function main() {
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  execFileSync('tar', ['-xzf', pack(folder)], { cwd: folder });
  const packed = path.join(folder, 'package');
  for (const file of [
    'config.schema.json',
    'README.md',
    'docs/releases.md',
    'dist/index.d.ts',
    'dist/legacy.d.ts',
  ]) {
    fs.accessSync(path.join(packed, file));
  }
  const { name } = require('../package.json');
  const requirePacked = createRequire(path.join(packed, 'package.json'));
  const { createLegacyApiGate } = requirePacked(`${name}/legacy`);
  if (typeof createLegacyApiGate !== 'function') {
    throw new Error(`${name}/legacy has no createLegacyApiGate`);
  }

  const port = await new Promise(resolve => {
    const server = net.createServer().listen(0, () => {
      const { port: free } = server.address();
      server.close(() => resolve(free));
    });
  });
  process.env.APP_CONFIG_backend_listen = `"localhost:${port}"`;
  process.env.APP_CONFIG_backend_baseUrl = `"http://localhost:${port}"`;
  process.argv.push('--config', path.join(root, 'app-config.yaml'));

  const { createBackend } = require('@backstage/backend-defaults');
  const backend = createBackend();
  backend.add(import('@backstage/plugin-auth-backend'));
  backend.add(Promise.resolve(requirePacked(name)));
  await backend.start();
  const { status } = await fetch(`http://localhost:${port}/api/x/y`);
  await backend.stop();
  fs.rmSync(folder, { recursive: true });
  if (status !== 401) {
    throw new Error(`The packed gate answered ${status}, not 401`);
  }
  console.log('The packed gate answered 401');
}

main().then(
  () => process.exit(0),
  error => {
    console.error(error);
    process.exit(1);
  },
);
