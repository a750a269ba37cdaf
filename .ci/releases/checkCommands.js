// Runs each command of the packed gate as an adopter does, beside the packages of a release of Backstage: `checkPacked.js`.
const { execFile } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const POLICY = 'URL/api/auth/api-gate/v1/policy --token-env TOKEN';

/** Commands, each with its exit code and a pattern of its output. `URL` is the address of a backend whose policy the token may read. */
const COMMANDS = [
  [
    `check --policy ${POLICY} --live URL --times 1`,
    0,
    /^2 of 2 expectations that were asked hold there$/m,
  ],
  ['check --config wrong.yaml', 1, /^error: wrong.yaml:6: .*\/public/m],
  ['diff --against ../before --fail-on any', 1, /^\+ .*\/api\/hello\/public/m],
  [`explain --policy ${POLICY} GET /api/hello/public`, 0, /^public: a rule/m],
  ['init', 0, /^# Made by api-gate init/m],
  ['scan MODULES/@backstage/plugin-auth-backend', 0, /^auth /m],
  ['audit --list', 0, /^GET .*\/api\/auth\/guest\/refresh$/m],
  ['audit no-address', 2, /^error: The address must begin/m],
];

function writeFiles(folder) {
  for (const name of ['now', 'before']) {
    fs.mkdirSync(path.join(folder, name));
    fs.writeFileSync(path.join(folder, name, 'package.json'), '{}');
  }
  for (const [file, allow] of [
    ['now/app-config.yaml', [{ plugin: 'hello', path: '/public' }]],
    ['now/wrong.yaml', []],
    ['before/app-config.yaml', []],
  ]) {
    fs.writeFileSync(
      path.join(folder, file),
      `backend: { baseUrl: 'http://localhost:7007' }
auth:
  apiGate:
    allow: ${JSON.stringify(allow)}
    expect:
      - { request: GET /api/hello/public, is: public }
      - { request: GET /api/hello/x, is: closed }
`,
    );
  }
}

/** @throws Error for a command with another output or exit code */
async function checkCommands(modules, url, token) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'commands-'));
  writeFiles(folder);
  const { PATH, NODE_OPTIONS } = process.env;
  const options = {
    cwd: path.join(folder, 'now'),
    env: { PATH, NODE_OPTIONS, TOKEN: token },
  };
  const command = path.join(modules, '.bin/api-gate');
  for (const [line, expected, pattern] of COMMANDS) {
    const args = line
      .replaceAll('URL', url)
      .replace('MODULES', modules)
      .split(' ');
    await new Promise((resolve, reject) => {
      execFile(command, args, options, (error, stdout, stderr) => {
        const code = error ? error.code : 0;
        const output = stdout + stderr;
        if (code === expected && pattern.test(output)) {
          resolve();
        } else {
          reject(new Error(`api-gate ${line}: exit code ${code}\n${output}`));
        }
      });
    });
  }
  fs.rmSync(folder, { recursive: true });
  console.log(`${COMMANDS.length} runs of the packed command were right`);
}

module.exports = { checkCommands };
