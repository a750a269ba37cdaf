// Mutates the code that decides, group by group, and reports which mutants no test notices. `results.json` has the outcome of each
// group, and a hash of its files: a run skips the groups that have not changed since, and stops after 55 minutes.
// `node .ci/mutation/run.js gate-cookie store` runs these groups, changed or not. `--check` runs none, changes no file, and lists the groups that have changed.
const { execFileSync, spawnSync } = require('node:child_process');
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const groups = require('./groups');

const LEAST_SCORE = 95.8;
const MAX_MINUTES = 55;

const root = path.resolve(__dirname, '../..');
const resultsFile = path.join(__dirname, 'results.json');
const readmeFile = path.join(__dirname, 'README.md');
const results = JSON.parse(fs.readFileSync(resultsFile, 'utf8'));

function hashOf({ mutate, tests, helpers = [] }) {
  const hash = createHash('sha256');
  for (const file of [...mutate, ...tests, ...helpers]) {
    hash.update(`${file}\n`);
    hash.update(fs.readFileSync(path.join(root, 'src', file)));
  }
  return hash.digest('hex').slice(0, 16);
}

const isCurrent = name => results[name]?.hash === hashOf(groups[name]);
const scoreOf = ({ killed, survived }) => (100 * killed) / (killed + survived);

/** A mutant with which a test file cannot be loaded does not count, as in Stryker's own score. */
function summarize({ files }) {
  const mutants = Object.entries(files).flatMap(([file, each]) =>
    each.mutants.map(mutant => ({ file, ...mutant })),
  );
  const having = (...statuses) =>
    mutants.filter(({ status }) => statuses.includes(status));
  const survivors = having('Survived', 'NoCoverage');
  return {
    killed: having('Killed', 'Timeout').length,
    survived: survivors.length,
    survivors: survivors.map(
      ({ file, location, mutatorName }) =>
        `${file}:${location.start.line}:${location.start.column} ${mutatorName}`,
    ),
  };
}

function runGroup(name) {
  console.log(`\n=== ${name}`);
  const hash = hashOf(groups[name]);
  const { status } = spawnSync(
    path.join(root, 'node_modules/.bin/stryker'),
    ['run', '.ci/mutation/stryker.config.js'],
    {
      cwd: root,
      env: { ...process.env, MUTATION_GROUP: name },
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  if (status !== 0) {
    process.exit(1);
  }
  const report = fs.readFileSync(
    path.join(root, `reports/mutation/${name}.json`),
    'utf8',
  );
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
    cwd: root,
    encoding: 'utf8',
  }).trim();
  results[name] = { hash, commit, ...summarize(JSON.parse(report)) };
  write();
}

function write() {
  const known = Object.keys(groups).filter(name => results[name]);
  fs.writeFileSync(
    resultsFile,
    `${JSON.stringify(Object.fromEntries(known.map(name => [name, results[name]])), null, 2)}\n`,
  );
  const rows = Object.keys(groups).map(name => {
    const result = results[name];
    return result
      ? `| ${name} | ${result.killed} | ${result.survived} | ${scoreOf(result).toFixed(1)} % | ${result.commit}${isCurrent(name) ? '' : ', changed since'} |`
      : `| ${name} | | | | not run |`;
  });
  const table = [
    '| group | killed | survived | score | commit |',
    '| --- | ---: | ---: | ---: | --- |',
    ...rows,
  ].join('\n');
  const [before, , after] = fs
    .readFileSync(readmeFile, 'utf8')
    .split(/<!-- (?:table|end) -->/);
  fs.writeFileSync(
    readmeFile,
    `${before}<!-- table -->\n\n${table}\n\n<!-- end -->${after}`,
  );
  spawnSync(path.join(root, 'node_modules/.bin/prettier'), [
    '--write',
    readmeFile,
    resultsFile,
  ]);
}

const args = process.argv.slice(2);
const isCheck = args.includes('--check');
const named = args.filter(arg => !arg.startsWith('--'));
const wanted =
  named.length > 0
    ? named
    : Object.keys(groups).filter(name => !isCurrent(name));
const endsAt = Date.now() + MAX_MINUTES * 60_000;
const left = [...wanted];
while (!isCheck && left.length > 0 && Date.now() < endsAt) {
  runGroup(left.shift());
}
if (!isCheck) {
  write();
}

const leastOf = name => groups[name].leastScore ?? LEAST_SCORE;
const weak = Object.keys(groups).filter(
  name => results[name] && scoreOf(results[name]) < leastOf(name),
);
for (const name of weak) {
  console.error(
    `${name}: less than ${leastOf(name)} % killed\n  ${results[name].survivors.join('\n  ')}`,
  );
}
if (left.length > 0) {
  console.log(`Next: yarn mutation, for ${left.join(', ')}`);
}
process.exitCode = weak.length > 0 || left.length > 0 ? 1 : 0;
