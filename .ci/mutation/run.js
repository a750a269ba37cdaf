// Mutates the code that decides, group by group, and tells which mutants the tests let live.
// All groups, or those that are named: `node .ci/mutation/run.js cookie revocation`.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const groups = require('./groups');

const LEAST_SCORE = 90;

const root = path.resolve(__dirname, '../..');
const names = process.argv.slice(2);
const startedAt = Date.now();
const rows = [];

for (const group of names.length > 0 ? names : Object.keys(groups)) {
  console.log(`\n=== ${group}`);
  const { status } = spawnSync(
    path.join(root, 'node_modules/.bin/stryker'),
    ['run', '.ci/mutation/stryker.config.js'],
    {
      cwd: root,
      env: { ...process.env, MUTATION_GROUP: group },
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  if (status !== 0) {
    process.exit(1);
  }
  const report = JSON.parse(
    fs.readFileSync(path.join(root, `reports/mutation/${group}.json`), 'utf8'),
  );
  for (const [file, { mutants }] of Object.entries(report.files)) {
    rows.push({ file, ...count(mutants) });
  }
}

/** By the words of the report. A mutant with which a test file can't even be loaded is not counted, as Stryker has it. */
function count(mutants) {
  const of = (...statuses) =>
    mutants.filter(({ status }) => statuses.includes(status)).length;
  return {
    killed: of('Killed', 'Timeout'),
    survived: of('Survived', 'NoCoverage'),
    notCounted: of('RuntimeError', 'CompileError', 'Ignored'),
  };
}

const total = { file: 'all', killed: 0, survived: 0, notCounted: 0 };
for (const row of rows) {
  total.killed += row.killed;
  total.survived += row.survived;
  total.notCounted += row.notCounted;
}

function scoreOf({ killed, survived }) {
  return (100 * killed) / (killed + survived);
}

console.log('\n| file | killed | survived | not counted | score |');
console.log('| --- | ---: | ---: | ---: | ---: |');
for (const row of [...rows, total]) {
  const { file, killed, survived, notCounted } = row;
  const score = scoreOf(row).toFixed(1);
  console.log(
    `| ${file} | ${killed} | ${survived} | ${notCounted} | ${score} % |`,
  );
}
const minutes = ((Date.now() - startedAt) / 60_000).toFixed(1);
console.log(`\n${minutes} minutes`);

if (!(scoreOf(total) >= LEAST_SCORE)) {
  console.error(`The score must be at least ${LEAST_SCORE} %`);
  process.exit(1);
}
