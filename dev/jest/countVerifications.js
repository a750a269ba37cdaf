const crypto = require('node:crypto');

/**
 * The number of signatures that this process has verified. Backstage's services verify with their own version of `jose`: 6 uses
 * WebCrypto; 5, before backend-defaults 0.19, uses `node:crypto`, whose function it captures when it is loaded. A worker loads it
 * once for all test files, so the functions are replaced before.
 */
const verifications = { count: 0 };

for (const api of [crypto, crypto.webcrypto.subtle]) {
  const { verify } = api;
  api.verify = function verifyCounted(...args) {
    verifications.count += 1;
    return verify.apply(this, args);
  };
}

global[Symbol.for('api-gate.verifications')] = verifications;
