// Removes what the gate finds servers by: node --require. API_GATE_TEST_WITHOUT names it as `reduce.js` has it: `server-search` is what Node
// has for it, and `server-emit` is that the method of the servers can be replaced.
const channels = require('node:diagnostics_channel');
const http = require('node:http');
const https = require('node:https');

const without = (process.env.API_GATE_TEST_WITHOUT ?? '').split(',');

if (without.includes('server-search')) {
  delete process._getActiveHandles;
  const { subscribe } = channels;
  channels.subscribe = (name, listener) =>
    name === 'net.server.socket' ? undefined : subscribe(name, listener);
}
if (without.includes('server-emit')) {
  for (const { prototype } of [http.Server, https.Server]) {
    Object.defineProperty(prototype, 'emit', { value: prototype.emit });
  }
}
