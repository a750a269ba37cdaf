// A release of Backstage and Node without what the features need that API_GATE_TEST_WITHOUT names, separated by commas: see
// RELEASE_FEATURES, and `npm run test:reduced`. Backstage itself goes on to use its own files.
const channels = require('node:diagnostics_channel');
const http = require('node:http');
const https = require('node:https');

const features = new Set(process.env.API_GATE_TEST_WITHOUT?.split(','));

const OPAQUE = {
  'uninstalled-plugins': ['auth', { authServiceFactory: {} }],
  'plugin-routers': ['httpRouter', { httpRouterServiceFactory: {} }],
  'websocket-handlers': ['httpRouter', { createWebSocketRouter: undefined }],
};

if (features.has('server-search')) {
  const { subscribe } = channels;
  delete process._getActiveHandles;
  channels.subscribe = (name, ...args) =>
    name === 'net.server.socket' ? undefined : subscribe(name, ...args);
}
// No feature: without `server-search` and this one, the gate has no way to find servers.
if (features.has('server-emit')) {
  for (const { prototype } of [http.Server, https.Server]) {
    Object.defineProperty(prototype, 'emit', { value: prototype.emit });
  }
}

/** Returns what the code of the gate finds in a module on such a release. */
module.exports = (from, moduleName, exported) =>
  Object.entries(OPAQUE)
    .filter(
      ([id, [entry]]) =>
        features.has(id) &&
        !from.includes('__tests__') &&
        moduleName === `@backstage/backend-defaults/${entry}`,
    )
    .reduce((found, [, [, changed]]) => ({ ...found, ...changed }), exported);
