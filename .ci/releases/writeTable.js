// Writes docs/releases.md from the releases that have a folder here, and prints the code that goes with each of them:
// `node .ci/releases/writeTable.js`. With `--check`, fails if that would change the page.
require('@backstage/cli-node/config/nodeTransform.cjs');
const fs = require('node:fs');
const path = require('node:path');
const {
  NEEDED_FIELDS,
  NEEDED_FOR_WEBSOCKETS,
} = require('../../src/backstage/releaseFeatures');

const root = path.resolve(__dirname, '../..');

/** The package.json of each release that is tested, by its month. */
const tested = Object.fromEntries(
  fs
    .readdirSync(__dirname)
    .filter(name => /^20\d\d-\d\d$/.test(name))
    .map(month => {
      const file = path.join(__dirname, month, 'package.json');
      return [month, JSON.parse(fs.readFileSync(file, 'utf8'))];
    }),
);

/** The releases between them that are not tested, and why. */
const NOT_TESTED = {
  '2026-05': [
    '1.51',
    'the registry has neither backend-defaults 0.17.1 nor 0.17.2',
  ],
  '2026-10': [
    '1.56',
    'the registry has no version of backend-defaults between 0.18.0 and 0.19.0',
  ],
};

/** What the gate does without something that a release may lack. */
const FEATURES = {
  rootSystemMetadata:
    'The plugins of other backends are those in `discovery.endpoints`.',
  addWebSocketHandler:
    'Plugins listen for WebSocket upgrades at the server themselves. The gate decides about all of them there, and allow rules with `WEBSOCKET` hold.',
  offlineSessions:
    'A sign-out everywhere leaves the refresh tokens of OAuth clients, reports `unsupported`, and a warning at start names them.',
};

const monthName = month =>
  new Date(`${month}-15T00:00:00Z`).toLocaleString('en', {
    month: 'long',
    year: 'numeric',
    timeZone: 'UTC',
  });

/** A table as Prettier formats it. */
function table(rows) {
  const widths = rows[0].map((_, i) =>
    Math.max(...rows.map(row => row[i].length)),
  );
  const line = row =>
    `| ${row.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`;
  const [head, ...body] = rows;
  return [line(head), line(widths.map(width => '-'.repeat(width)))]
    .concat(body.map(line))
    .join('\n');
}

/** The code that may have marks. */
function readSources() {
  const files = ['src', 'dev'].flatMap(folder =>
    fs
      .readdirSync(path.join(root, folder), { recursive: true })
      .map(file => path.posix.join(folder, file))
      .filter(file => /\.[jt]s$/.test(file)),
  );
  return [...files.sort(), '.ci/releases/missing.d.ts'].map(file => ({
    file,
    text: fs.readFileSync(path.join(root, file), 'utf8'),
  }));
}

/**
 * Reads the marks of code that only older releases need: comments with "Goes in October 2027: " and a sentence that says why. The
 * last release that needs the code is that of the same month a year before.
 *
 * @returns rows of month, reason and files
 * @throws Error if that release is not supported
 */
function readMarks(supported) {
  const filesByMark = new Map();
  for (const { file, text } of readSources()) {
    // Join the lines of each comment.
    const joined = text.replace(/\s*\n\s*(\/\/|\*) /g, ' ');
    for (const [, mark] of joined.matchAll(/Goes in (\w+ \d{4}: .+?)\.\s/g)) {
      filesByMark.set(mark, (filesByMark.get(mark) ?? new Set()).add(file));
    }
  }
  const rows = [...filesByMark].map(([mark, files]) => {
    const [month, reason] = mark.split(/: (.*)/);
    const lastRelease = month.replace(/\d+/, year => year - 1);
    if (!supported.map(monthName).includes(lastRelease)) {
      throw new Error(
        `${[...files].join(', ')}: "Goes in ${mark}": the release of ${lastRelease} is not in the table. Remove the code, or correct the month`,
      );
    }
    return [month, reason, [...files]];
  });
  return rows.sort(([a], [b]) => Date.parse(`1 ${a}`) - Date.parse(`1 ${b}`));
}

/** Returns a list of the fields that the gate uses beyond public types. */
function describeFields() {
  return Object.entries(NEEDED_FIELDS)
    .map(([module, paths]) => {
      const names = Object.keys({ ...paths, ...NEEDED_FOR_WEBSOCKETS[module] });
      const fields = names.map(name => `\`${name}\``).join(', ');
      return `- \`${module.replace(/^@backstage\//, '')}\`: ${fields}`;
    })
    .join('\n');
}

function createDocument() {
  const months = [...Object.keys(tested), ...Object.keys(NOT_TESTED)].sort();
  const notes = [];
  const releases = months.map(month => {
    if (month in NOT_TESTED) {
      const [number, reason] = NOT_TESTED[month];
      notes.push(`${monthName(month)}: ${reason}.`);
      return [monthName(month), number, 'not tested', '', ''];
    }
    const { dependencies, release } = tested[month];
    const { version, node, lacks, note } = release;
    if (note) {
      notes.push(`${monthName(month)}: ${note}.`);
    }
    return [
      monthName(month),
      version,
      dependencies['@backstage/backend-defaults'],
      node,
      lacks.join(', '),
    ];
  });
  const lacking = new Set(
    Object.values(tested).flatMap(({ release }) => release.lacks),
  );
  const features = Object.entries(FEATURES).filter(([name]) =>
    lacking.has(name),
  );
  return `# Backstage's releases

<!-- Written by .ci/releases/writeTable.js from the folders of .ci/releases. -->

The gate is tested on these releases. "Node" is what Backstage's own template for new apps of that release asks for, and "the registry" the one that
this project installs from.

Before each change, the tests that start backends run on the oldest release with Node 22, and on the newest with Node 24. Each night, and before each
release of the gate, they run on two others; the attacks run on every release, and the packed gate is installed on each and starts on Node 22 and 24. Node 20
is not supported. Node 26 is tried each night.

${table([['Release', 'Backstage', 'backend-defaults', 'Node', 'Missing'], ...releases])}

${notes.map(note => `- ${note}`).join('\n')}

${table([['Missing', 'What the gate does without'], ...features])}

## Other releases

When the backend starts, the gate looks for what it uses of Backstage and Node beyond their public types and documents. If a release lacks any of it,
the backend does not start: one line names what is missing, and what to do. \`createWebSocketRouter\` is needed only where Backstage
has WebSocket handlers. Of Node, the gate needs the diagnostics channel \`net.server.socket\`.

${describeFields()}
`;
}

const marks = readMarks([...Object.keys(tested), ...Object.keys(NOT_TESTED)]);
const page = path.join(root, 'docs/releases.md');
const text = createDocument();
if (!process.argv.includes('--check')) {
  fs.writeFileSync(page, text);
  for (const [month, reason, files] of marks) {
    console.log(`Goes in ${month}: ${reason}\n  ${files.join('\n  ')}`);
  }
} else if (text !== fs.readFileSync(page, 'utf8')) {
  console.error(
    'docs/releases.md is not what its sources say: run writeTable.js',
  );
  process.exit(1);
}
