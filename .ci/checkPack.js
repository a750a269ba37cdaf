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

/** Runs the command of the package, with variables that are not set, in at most two seconds. */
function checkCommand(command) {
  const config = path.join(folder, 'app-config.yaml');
  fs.writeFileSync(
    config,
    `backend: { baseUrl: '\${UNSET}' }
auth:
  apiGate:
    allow: [{ plugin: hello, path: /health }]
    expect: [{ request: GET /api/hello/health, is: public }]
`,
  );
  // The best of three, as other work on the machine is no fault of the command.
  const times = [1, 2, 3].map(() => {
    const start = Date.now();
    const output = execFileSync(
      process.execPath,
      [command, 'check', '--mock-env', '--config', config],
      { cwd: folder, encoding: 'utf8' },
    );
    if (!output.includes('1 of 1 expectations hold')) {
      throw new Error(`The packed command printed ${output}`);
    }
    return Date.now() - start;
  });
  if (Math.min(...times) > 2000) {
    throw new Error(`The packed command took ${times} ms, more than 2 s`);
  }
  console.log(`The packed command took ${times} ms`);
}

async function main() {
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  execFileSync('tar', ['-xzf', pack(folder)], { cwd: folder });
  const packed = path.join(folder, 'package');
  for (const file of [
    'bin/dynamic-plugin.cjs',
    'config.schema.json',
    'README.md',
    'docs/releases.md',
    'ops/alerts.yaml',
    'ops/dashboard.json',
    'dist/index.d.ts',
    'dist/legacy.d.ts',
  ]) {
    fs.accessSync(path.join(packed, file));
  }
  const { name, bin } = require('../package.json');
  const requirePacked = createRequire(path.join(packed, 'package.json'));
  const { createLegacyApiGate } = requirePacked(`${name}/legacy`);
  if (typeof createLegacyApiGate !== 'function') {
    throw new Error(`${name}/legacy has no createLegacyApiGate`);
  }

  checkCommand(path.join(packed, bin['api-gate']));

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
