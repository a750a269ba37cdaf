// Runs each command of the packed gate as an adopter does, beside the packages of a release of Backstage: `checkPacked.js`.
const { execFile } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

/** Commands, each with its exit code and a pattern of its output. `URL` is the address of a backend with the gate. */
const COMMANDS = [
  ['init --config none.yaml', 0, /^ {4}mode: report-only$/m],
  ['report --out report.md', 0, /^Read app-config.yaml$/m],
  [
    'check --report report.md',
    0,
    /^The policy is [0-9a-f]{12} in production$/m,
  ],
  ['check --config wrong.yaml', 2, /^error: wrong.yaml:5: auth\.apiGate/m],
  [
    'check --config other.yaml --report report.md',
    1,
    /^- public +GET +\/api\/hello\/public$/m,
  ],
  ['explain GET /api/hello/public', 0, /^public: a rule/m],
  [
    'audit URL --config app-config.yaml',
    'any',
    /^The API gate is in front of/m,
  ],
  ['audit --list', 0, /^GET .*\/api\/auth\/guest\/refresh$/m],
  ['audit no-address', 2, /^error: The address must begin/m],
];

function writeFiles(folder) {
  const BACKEND = "backend: { baseUrl: 'http://localhost:7007' }\n";
  const gate = allow =>
    `${BACKEND}auth:\n  apiGate:\n    allow:\n      ${allow}\n`;
  const files = {
    'package.json': '{}',
    'none.yaml': BACKEND,
    'app-config.yaml': gate('- { plugin: hello, path: /public }'),
    'other.yaml': gate('[]'),
    'wrong.yaml': gate('- { plugin: hello, path: public }'),
  };
  for (const [name, text] of Object.entries(files)) {
    fs.writeFileSync(path.join(folder, name), text);
  }
}

/** @throws Error for a command with another output or exit code */
async function checkCommands(modules, url) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'commands-'));
  writeFiles(folder);
  const { PATH, NODE_OPTIONS } = process.env;
  const options = {
    cwd: folder,
    env: { PATH, NODE_OPTIONS },
  };
  const command = path.join(modules, '.bin/api-gate');
  for (const [line, expected, pattern] of COMMANDS) {
    const args = line.replace('URL', url).split(' ');
    await new Promise((resolve, reject) => {
      execFile(command, args, options, (error, stdout, stderr) => {
        const code = error ? error.code : 0;
        const output = stdout + stderr;
        if ([code, 'any'].includes(expected) && pattern.test(output)) {
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
