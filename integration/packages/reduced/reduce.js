// Makes the installed backend-defaults a release that nobody has seen: it is named 0.20.0, and its entry points do not show what the gate uses
// and no public type has, as far as API_GATE_TEST_WITHOUT names features of src/backstage/releaseFeatures.ts, separated by commas.
// Backstage's own code, which imports files below the entry points, is as it was.
const fs = require('node:fs');
const path = require('node:path');

const folder = path.join(__dirname, 'node_modules/@backstage/backend-defaults');

/** A service factory that shows nothing of what it is made of. */
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
  const file = path.join(folder, `dist/${entry}.cjs.js`);
  const installed = path.join(folder, `dist/${entry}.installed.cjs.js`);
  if (!fs.existsSync(installed)) {
    fs.renameSync(file, installed);
  }
  const lines = Object.entries(reduced).map(
    ([feature, exported]) =>
      `...(without.includes('${feature}') && { ${exported} }),`,
  );
  fs.writeFileSync(
    file,
    `const without = (process.env.API_GATE_TEST_WITHOUT ?? '').split(',');
module.exports = {
  ...require('./${entry}.installed.cjs.js'),
  ${lines.join('\n  ')}
};
`,
  );
}

const manifest = path.join(folder, 'package.json');
const text = fs.readFileSync(manifest, 'utf8');
fs.writeFileSync(manifest, text.replace(/("version": )"[^"]+"/, '$1"0.20.0"'));
