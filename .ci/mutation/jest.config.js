// The configuration of `backstage-cli package test`, for the test files of one group.
const groups = require('./groups');

module.exports = async () => ({
  ...(await require('@backstage/cli/config/jest')),
  testMatch: groups[process.env.MUTATION_GROUP].tests.map(
    file => `<rootDir>/${file}`,
  ),
});
