const requireOfJest = require('../../dev/jest/requireOfJest');

const { createEmptyTestResult } = requireOfJest('@jest/test-result');
const { default: run } = requireOfJest('jest-circus/runner');

const SKIPPED = { fullName: 'skipped', status: 'pending', ancestorTitles: [] };
let killed;

/**
 * Runs a test file, unless another one has killed the mutant: Stryker has no way to stop Jest behind a file that fails. Stryker finds by
 * the name of this file that it runs `jest-circus`.
 */
module.exports = async (...args) => {
  const mutant = process.env.__STRYKER_ACTIVE_MUTANT__;
  if (mutant !== undefined && mutant === killed) {
    const testFilePath = args[4];
    const testResults = [SKIPPED];
    return { ...createEmptyTestResult(), testFilePath, testResults };
  }
  const result = await run(...args);
  if (result.numFailingTests > 0) {
    killed = mutant;
  }
  return result;
};
