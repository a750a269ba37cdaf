// `node .ci/publish/changelog.js date` writes today's date to the entry of the version in package.json, as `npm version` does. `… notes` prints
// that entry without its heading, and fails if it has no date.
const fs = require('node:fs');

const [, , command] = process.argv;
const { version } = JSON.parse(fs.readFileSync('package.json', 'utf8'));
const text = fs.readFileSync('CHANGELOG.md', 'utf8');
const heading = `\n## [${version}] - `;
const [before, entry] = text.split(heading);
if (entry === undefined) {
  throw new Error(`CHANGELOG.md has no "${heading.trim()}…": write the entry`);
}
const [date, ...lines] = entry.split('\n');

if (command === 'date') {
  const today = new Date().toISOString().slice(0, 10);
  if (date === 'Unreleased') {
    fs.writeFileSync(
      'CHANGELOG.md',
      [`${before}${heading}${today}`, ...lines].join('\n'),
    );
  }
} else {
  if (!/^\d{4}-\d\d-\d\d$/.test(date)) {
    throw new Error(`${heading.trim()}${date} of CHANGELOG.md has no date`);
  }
  const notes = lines.join('\n').split('\n## ')[0].trim();
  if (!notes) {
    throw new Error(`CHANGELOG.md says nothing of ${version}`);
  }
  console.log(notes);
}
