const path = require('node:path');

// A mutant may leave a socket without its listener for errors. An error that comes after the test must not end Stryker's process.
process.on('uncaughtException', () => {});

const jestFolder = path.resolve(__dirname, '../../dev/jest');

// The configuration of `backstage-cli package test`, for unit tests and the proof. Each mutant loads its tests anew, so that none may start
// a backend.
module.exports = async () => ({
  ...(await require('@backstage/cli/config/jest')),
  runtime: `${jestFolder}/Runtime.js`,
  testEnvironment: path.join(__dirname, 'Environment.js'),
  testRunner: path.join(__dirname, 'jest-circus.js'),
  testSequencer: path.join(__dirname, 'Sequencer.js'),
  testMatch: ['<rootDir>/*/**/*.test.ts'],
  testPathIgnorePatterns: [
    '/__tests__/(?!proof/)',
    '/cli/audit.test.ts',
    '/operators/reports/GateMetrics.test.ts',
    // It measures a time, and a mutated file takes longer.
    '/operators/page/renderPage.speed.test.ts',
    // It waits for its limits of time.
    '/store/GateDatabase.test.ts',
  ],
});
