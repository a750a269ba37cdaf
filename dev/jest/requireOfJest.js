const { createRequire } = require('node:module');

// Requires packages that come with Jest, wherever they are installed.
const ofJest = createRequire(require.resolve('jest'));
const ofCore = createRequire(ofJest.resolve('@jest/core'));
module.exports = createRequire(ofCore.resolve('jest-runtime'));
