// `npm run mutation` changes the lines of `src` that differ from `main`, one place at a time, and prints the changes that no test notices.
// `npm run mutation -- --mutate src/gate/judge/judge.ts,src/gate/decide.ts` changes these files. The tests are those that import the files, except
// those that start a backend: see `jest.config.js`. A change that no test can notice is named in the code, by `// Stryker disable next-line`.
const { execFileSync } = require('node:child_process');

/** Returns the lines that differ from `main`, as `FILE:FIRST-LAST`. */
function changedLines() {
  const diff = execFileSync('git', ['diff', '-U0', 'main', '--', 'src'], {
    encoding: 'utf8',
  });
  let file;
  return [
    ...diff.matchAll(/^\+\+\+ (?:b\/)?(.*)$|^@@ \S+ \+(\d+)(?:,(\d+))? @@/gm),
  ]
    .flatMap(([, name, first, count = '1']) => {
      file = name ?? file;
      return name || count === '0'
        ? []
        : `${file}:${first}-${Number(first) + Number(count) - 1}`;
    })
    .filter(lines => /\.ts:/.test(lines) && !/\.test\.|__tests__/.test(lines));
}

module.exports = {
  mutate: changedLines(),
  // Mutants of what has not changed since the last run keep its results.
  incremental: true,
  incrementalFile: 'reports/mutation/incremental.json',
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
