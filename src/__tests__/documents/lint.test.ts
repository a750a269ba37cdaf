import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { root } from '../__testUtils__/documents';

// The package comes with Backstage's command.
const { ESLint } = createRequire(
  require.resolve('@backstage/cli-module-lint/package.json'),
)('eslint');

// The first lint loads the parser and all rules.
jest.setTimeout(60_000);

/** The rooms of `src`, from the lowest to the highest. */
const ROOMS = ['gate', 'settings', 'store', 'operators', 'backstage', 'cli'];

const eslint = new ESLint({ cwd: root });

/** Returns the messages about a file of `src` with this text. */
async function lint(file: string, text: string): Promise<string> {
  const filePath = path.join(root, 'src', file);
  const [{ messages }] = await eslint.lintText(`${text}\n`, { filePath });
  const all = messages.map(({ message }: { message: string }) =>
    message.replace(/^Unexpected path .+ restricted zone\. /, ''),
  );
  return [...new Set(all)].join('\n');
}

/** Returns the path of some file of a room, as another room imports it. */
function importPathOf(room: string): string {
  const [file] = readdirSync(path.join(root, 'src', room), { recursive: true })
    .map(String)
    .filter(each => each.endsWith('.ts') && !each.endsWith('.test.ts'));
  return `../${room}/${file.replace(/\.ts$/, '')}`;
}

it('src has the folders that lint knows as rooms, and the tests', () => {
  const folders = readdirSync(path.join(root, 'src'), { withFileTypes: true })
    .filter(each => each.isDirectory())
    .map(({ name }) => name);
  expect(folders.sort()).toEqual([...ROOMS, '__tests__'].sort());
});

it.each(
  ROOMS.flatMap((room, level) =>
    ROOMS.filter(other => other !== room).map(
      other =>
        [
          room,
          ROOMS.indexOf(other) < level ? 'may' : 'may not',
          other,
        ] as const,
    ),
  ),
)('%s %s import from %s', async (room, may, other) => {
  const text = `export type * from '${importPathOf(other)}';`;
  expect(await lint(`${room}/added.ts`, text)).toBe(
    may === 'may'
      ? ''
      : `Imports between the rooms of src run one way: ${room} may not import from here (see .eslintrc.js).`,
  );
});

const linesOf = (count: number) => Array(count).fill('run();').join('\n');
const functionOf = (count: number) =>
  `export function added() {\n${linesOf(count - 2)}\n}`;

interface Rule {
  message: string;
  /** Files about which lint says the message. */
  forbidden: string;
  /** Files with the same code about which lint says nothing. */
  allowed: string;
  code: string[];
}

const RULES: Rule[] = [
  {
    message:
      'Imports between the rooms of src run one way: gate may not import from here (see .eslintrc.js).',
    forbidden: 'gate/added.ts',
    allowed: 'added.ts __tests__/added.ts gate/added.test.ts',
    code: ["export * from '../index';"],
  },
  {
    message:
      'Only src/gate/carryOut/forward.ts changes the headers of a request.',
    forbidden:
      'gate/decide.ts gate/carryOut/answer.ts gate/read/readCredential.ts backstage/added.ts backstage/mountGate.ts operators/routes/added.ts cli/added.ts',
    allowed: 'gate/carryOut/forward.ts gate/carryOut/forward.test.ts',
    code: [
      "export { setRequestHeader } from './added';",
      'forward.removeCookies(req, names);',
      "req.headers.authorization = 'Bearer x';",
      "req.headers[name] += '; a=b';",
      '(req as Request).headersDistinct[name] = [value];',
      'headers[name] = value;',
      'req.headers = {};',
      'request.req.rawHeaders = raw;',
      'rawHeaders[i + 1] = value;',
      'req.rawHeaders.push(name, value);',
      'delete req.headers.cookie;',
      'delete headersDistinct[name];',
      "Object.assign(req.headers, { cookie: 'a=b' });",
      "Reflect.deleteProperty(req.headers, 'cookie');",
      "Reflect.set(req, 'rawHeaders', []);",
    ],
  },
  {
    message: 'Only src/gate/carryOut/answer.ts sets the headers of an answer.',
    forbidden:
      'gate/createGate.ts gate/carryOut/forward.ts backstage/added.ts backstage/mountGate.ts',
    allowed: 'gate/carryOut/answer.ts operators/routes/added.ts',
    code: [
      "res.setHeader('Vary', '*');",
      "res.append('Vary', '*');",
      "res.cookie('token', value);",
      "res.removeHeader('Vary');",
    ],
  },
  {
    message: 'Only src/gate/carryOut/answer.ts sets the headers of an answer.',
    forbidden: 'gate/createGate.ts backstage/added.ts',
    allowed: 'gate/carryOut/answer.ts',
    code: ["import 'on-headers';"],
  },
  {
    message:
      'Only src/gate/carryOut/answer.ts, and what answers an error, writes the head of an answer.',
    forbidden: 'gate/createGate.ts backstage/added.ts cli/added.ts',
    allowed:
      'gate/carryOut/answer.ts backstage/mountGate.ts operators/page/createPageErrorAnswer.ts',
    code: ['res.writeHead(200);'],
  },
  {
    message: 'The core uses few packages: .eslintrc.js has their names.',
    forbidden:
      'gate/added.ts gate/read/added.ts gate/carryOut/answer.ts gate/carryOut/forward.ts',
    allowed: 'backstage/added.ts',
    code: [
      "export type { Knex } from 'knex';",
      "export { DefaultHttpAuthService } from '@backstage/backend-defaults/httpAuth';",
      "export const loaded = import('yaml');",
    ],
  },
  {
    message:
      'src/gate/read and src/gate/judge are functions of the request: they use no service, no clock and no promise.',
    forbidden: 'gate/read/added.ts gate/judge/added.ts',
    allowed: 'gate/verify/added.ts',
    code: [
      'export async function added() {}',
      'export const added = Promise.resolve();',
      'export const added = Date.now();',
      'export const added = new Date();',
      "import '../carryOut/answer';",
      "import 'node:http';",
    ],
  },
  {
    message: 'Write a loop with for…of.',
    forbidden:
      'gate/added.ts gate/judge/added.ts gate/carryOut/answer.ts gate/carryOut/forward.ts backstage/mountGate.ts operators/routes/added.ts cli/added.ts',
    allowed: '__tests__/added.ts',
    code: ['list.forEach(run);'],
  },
  {
    message: 'An index.ts only re-exports.',
    forbidden: 'index.ts cli/index.ts',
    allowed: 'cli/added.ts',
    code: ['export const added = 1;', 'run();'],
  },
  {
    message: 'File has too many lines (251). Maximum allowed is 250.',
    forbidden: 'gate/added.ts cli/added.ts',
    allowed: 'gate/added.test.ts __tests__/added.ts',
    code: [linesOf(251)],
  },
  {
    message: "Function 'added' has too many lines (61). Maximum allowed is 60.",
    forbidden: 'gate/added.ts cli/added.ts',
    allowed: 'gate/added.test.ts __tests__/added.ts',
    code: [functionOf(61)],
  },
];

const firstLineOf = (code: string) => code.split('\n')[0];

it.each(
  RULES.flatMap(({ code, ...rule }) =>
    code.map(each => ({ ...rule, name: firstLineOf(each), code: each })),
  ),
)('$message $name', async ({ message, forbidden, allowed, code }) => {
  for (const file of forbidden.split(' ')) {
    expect([file, await lint(file, code)]).toEqual([file, message]);
  }
  for (const file of allowed.split(' ')) {
    expect([file, await lint(file, code)]).toEqual([file, '']);
  }
});

it.each(
  [
    ['gate/added.ts', "export { LRUCache } from 'lru-cache';"],
    ['gate/added.ts', "export { isError } from '@backstage/errors';"],
    ['gate/added.ts', "export { createHash } from 'node:crypto';"],
    ['gate/Refusal.ts', "this.headers = { 'Retry-After': '5' };"],
    ['gate/added.ts', 'const value = req.headers.cookie;'],
    ['gate/added.ts', linesOf(250)],
    ['gate/added.ts', functionOf(60)],
  ].map(([file, code]) => [file, firstLineOf(code), code]),
)('lint allows in %s: %s', async (file, _, code) => {
  expect(await lint(file, code)).toBe('');
});
