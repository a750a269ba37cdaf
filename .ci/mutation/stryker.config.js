// `npm run mutation -- src/gate/judge/judge.ts,src/gate/decide.ts` changes these files, one place at a time, and prints the changes that no
// test notices. The tests are those that import the files, except those that start a backend: see `jest.config.js`.
module.exports = {
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
  reporters: ['clear-text', 'progress-append-only'],
  clearTextReporter: {
    allowColor: false,
    logTests: false,
    reportTests: false,
  },
};
