// Prints the packages that npm installs with the gate, as CycloneDX: `node .ci/publish/sbom.js TARBALL`.
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { name } = require('../../package.json');

const tarball = path.resolve(process.argv[2]);
const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'api-gate-sbom-'));
// npm takes the name of the folder for that of the package.
const folder = path.join(temporary, name);
fs.mkdirSync(folder);
const run = (command, ...args) =>
  execFileSync(command, args, {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
try {
  run('tar', '-xzf', tarball, '--strip-components=1', 'package/package.json');
  const file = path.join(folder, 'package.json');
  // Nobody who installs the gate gets these.
  const {
    devDependencies: _devDependencies,
    scripts: _scripts,
    ...manifest
  } = JSON.parse(fs.readFileSync(file, 'utf8'));
  fs.writeFileSync(file, JSON.stringify(manifest));
  run('npm', 'install', '--package-lock-only', '--no-audit', '--no-fund');
  const sbom = JSON.parse(
    run(
      'npm',
      'sbom',
      '--package-lock-only',
      '--sbom-format',
      'cyclonedx',
      '--sbom-type',
      'library',
    ),
  );
  const names = new Set(sbom.components.map(each => each.name));
  const missing = Object.keys(manifest.dependencies).filter(
    dependency => !names.has(dependency),
  );
  const { component } = sbom.metadata;
  if (
    missing.length > 0 ||
    component.name !== name ||
    component.version !== manifest.version
  ) {
    throw new Error(`The SBOM of ${component.name} lacks ${missing}`);
  }
  console.log(JSON.stringify(sbom, null, 2));
} finally {
  fs.rmSync(temporary, { recursive: true });
}
