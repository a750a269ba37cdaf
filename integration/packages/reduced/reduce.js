// Makes the installed backend-defaults a release that nobody has seen: it is named 0.20.0, and its entry points do not export what the features
// of src/backstage/releaseFeatures.ts need that API_GATE_TEST_WITHOUT names. Backstage's own `createBackend` has all of it.
const fs = require('node:fs');
const path = require('node:path');

const folder = path.join(__dirname, 'node_modules/@backstage/backend-defaults');
const manifestFile = path.join(folder, 'package.json');
const manifest = JSON.parse(fs.readFileSync(manifestFile, 'utf8'));

/** A service factory that does not show what it is made of. */
const OPAQUE = `Object.freeze({ $$type: '@backstage/BackendFeature' })`;

/** What an entry point exports without a feature. */
const EXPORTS = {
  auth: {
    'uninstalled-plugins': `authServiceFactory: ${OPAQUE}`,
  },
  httpRouter: {
    'plugin-routers': `httpRouterServiceFactory: ${OPAQUE}`,
    'websocket-handlers': 'createWebSocketRouter: undefined',
  },
};

for (const [entry, reduced] of Object.entries(EXPORTS)) {
  const file = `./dist/${entry}.reduced.cjs.js`;
  const lines = Object.entries(reduced).map(
    ([feature, exported]) =>
      `...(without.includes('${feature}') && { ${exported} }),`,
  );
  fs.writeFileSync(
    path.join(folder, file),
    `const without = (process.env.API_GATE_TEST_WITHOUT ?? '').split(',');
module.exports = {
  ...require('./${entry}.cjs.js'),
  ${lines.join('\n  ')}
};
`,
  );
  manifest.exports[`./${entry}`] = { default: file };
}
// It imports its own package by name.
const createBackendFile = path.join(folder, 'dist/CreateBackend.cjs.js');
fs.writeFileSync(
  createBackendFile,
  fs
    .readFileSync(createBackendFile, 'utf8')
    .replace(
      /require\('@backstage\/backend-defaults\/(auth|httpRouter)'\)/g,
      "require('./$1.cjs.js')",
    ),
);
manifest.version = '0.20.0';
fs.writeFileSync(manifestFile, JSON.stringify(manifest, null, 2));
