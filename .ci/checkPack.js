// Loads the packed tarball, as `npm publish` would send it, in a backend, and asks that backend one question. The other entry
// point, for the legacy system, is loaded by its name.
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const { createRequire } = require('node:module');
const net = require('node:net');
const path = require('node:path');
const { ModuleResolutionKind, resolveModuleName, sys } = require('typescript');
const { pack } = require('./pack');

const root = path.resolve(__dirname, '..');
// Below node_modules, so that its requires find what is installed there.
const folder = path.join(root, 'node_modules', '.check-pack');

/** Runs the command of the package, with a variable, in at most two seconds. */
function checkCommand(command) {
  const config = path.join(folder, 'app-config.yaml');
  fs.writeFileSync(
    config,
    `backend: { baseUrl: '\${UNSET}' }
auth:
  apiGate:
    allow: [{ plugin: hello, path: /health }]
    closed: [catalog]
`,
  );
  // The best of three, as other work on the machine is no fault of the command.
  const times = [1, 2, 3].map(() => {
    const start = Date.now();
    const output = execFileSync(
      process.execPath,
      [command, 'check', '--config', config],
      { cwd: folder, encoding: 'utf8' },
    );
    if (!output.includes(' finding')) {
      throw new Error(`The packed command printed ${output}`);
    }
    return Date.now() - start;
  });
  if (Math.min(...times) > 2000) {
    throw new Error(`The packed command took ${times} ms, more than 2 s`);
  }
  console.log(`The packed command took ${times} ms`);
}

/** Finds the types of an entry point by each way in which TypeScript looks for them. */
function checkTypes(entryPoint, packed) {
  for (const kind of ['Node10', 'Node16', 'NodeNext', 'Bundler']) {
    const { resolvedModule } = resolveModuleName(
      entryPoint,
      path.join(folder, 'index.ts'),
      { moduleResolution: ModuleResolutionKind[kind] },
      sys,
    );
    const { resolvedFileName: file = 'none' } = resolvedModule ?? {};
    if (!file.startsWith(packed) || !file.endsWith('.d.ts')) {
      throw new Error(`The types of ${entryPoint} are ${file} for ${kind}`);
    }
  }
}

async function main() {
  const { name, bin } = require('../package.json');
  const packed = path.join(folder, 'node_modules', name);
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(packed, { recursive: true });
  execFileSync('tar', ['-xzf', pack(folder), '--strip-components=1'], {
    cwd: packed,
  });
  // Without it, the name is that of the repository itself.
  fs.writeFileSync(path.join(folder, 'package.json'), '{}');
  for (const file of [
    'bin/dynamic-plugin.cjs',
    'config.schema.json',
    'README.md',
    'docs/releases.md',
    'ops/alerts.yaml',
    'ops/cli.schema.json',
    'ops/dashboard.json',
  ]) {
    fs.accessSync(path.join(packed, file));
  }
  const requirePacked = createRequire(path.join(folder, 'index.js'));
  const { createLegacyApiGate } = requirePacked(`${name}/legacy`);
  if (typeof createLegacyApiGate !== 'function') {
    throw new Error(`${name}/legacy has no createLegacyApiGate`);
  }
  for (const entryPoint of [name, `${name}/cli`, `${name}/legacy`]) {
    checkTypes(entryPoint, packed);
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
  backend.add(import(requirePacked.resolve(name)));
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
