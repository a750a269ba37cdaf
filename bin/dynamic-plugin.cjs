// The `main` of the published package, which a backend that loads plugins at run time requires by the folder: see docs/recipes/rhdh.md. An
// import of the package by its name loads `exports` instead.
//
// Such a backend logs an error of a plugin's module, and starts without the plugin: everything would be open. An error of a feature
// loader stops the start.
const { createBackendFeatureLoader } = require('@backstage/backend-plugin-api');

exports.default = createBackendFeatureLoader({
  loader: () => [require('../dist/index.cjs.js').default],
});
