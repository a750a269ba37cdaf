// The entry point of the gate as a dynamic plugin, see docs/recipes/rhdh.md. A backend that loads plugins at run time logs an error of a
// plugin's module, and starts without the plugin: everything would be open. An error of a feature loader stops the start.
const { createBackendFeatureLoader } = require('@backstage/backend-plugin-api');

exports.default = createBackendFeatureLoader({
  loader: () => [require('../dist/index.cjs.js').default],
});
