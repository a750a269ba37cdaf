const groups = require('./groups');

const group = process.env.MUTATION_GROUP;

module.exports = {
  mutate: groups[group].mutate.map(file => `src/${file}`),
  testRunner: 'jest',
  plugins: ['@stryker-mutator/jest-runner'],
  jest: { projectType: 'custom', configFile: '.ci/mutation/jest.config.js' },
  coverageAnalysis: 'perTest',
  concurrency: Number(process.env.MUTATION_CONCURRENCY ?? 2),
  // Besides the time that the tests take without a mutant. The machine may be busy, and a mutant must not be killed by that.
  timeoutMS: 120_000,
  // What the tests of states leave in memory would end the process.
  maxTestRunnerReuse: 40,
  ignorePatterns: ['bench', 'dist*'],
  tempDirName: 'reports/mutation/tmp',
  reporters: ['clear-text', 'json', 'progress-append-only'],
  clearTextReporter: {
    allowColor: false,
    logTests: false,
    reportTests: false,
    reportScoreTable: false,
  },
  jsonReporter: { fileName: `reports/mutation/${group}.json` },
};
