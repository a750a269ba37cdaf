const path = require('node:path');
const groups = require('./groups');

// A mutant may leave a socket without its listener for errors. An error that comes after the test must not end Stryker's process.
process.on('uncaughtException', () => {});

const jestFolder = path.resolve(__dirname, '../../dev/jest');

// The configuration of `backstage-cli package test`, for the test files of one group. Stryker does not resolve `<rootDir>`.
module.exports = async () => ({
  ...(await require('@backstage/cli/config/jest')),
  runtime: `${jestFolder}/Runtime.js`,
  testEnvironment: path.join(__dirname, 'Environment.js'),
  testRunner: path.join(__dirname, 'jest-circus.js'),
  testSequencer: path.join(__dirname, 'Sequencer.js'),
  testMatch: groups[process.env.MUTATION_GROUP].tests.map(
    file => `<rootDir>/${file}`,
  ),
});
