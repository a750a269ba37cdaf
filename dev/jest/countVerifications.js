const crypto = require('node:crypto');

/**
 * The number of signatures that this process has verified. Backstage's services verify with their own version of `jose`: 6 uses
 * WebCrypto; 5 uses `node:crypto`, whose function it captures when it is loaded. A worker loads it once for all test files, so the
 * functions are replaced before. Goes in October 2027: releases before November 2026 have version 5 of `jose`.
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
