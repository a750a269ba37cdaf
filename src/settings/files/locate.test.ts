import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createLocate, formatLocation } from './locate';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'api-gate-locate-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

it.each([
  ['a key that is a list', '? [auth]\n: 1\nauth:\n  apiGate: 1\n', 4],
  ['a key that is an alias', 'x: &x auth\n*x : 1\nauth:\n  apiGate: 1\n', 4],
  ['a key without text', '? \n: 1\nauth:\n  apiGate: 1\n', 4],
  ['a key that is a number', '7: 1\nauth:\n  apiGate: 1\n', 3],
])('finds the line of a path beside %s', (_, yaml, line) => {
  const file = write('app-config.yaml', yaml);
  const sources = [
    { data: { auth: { apiGate: 1 } }, context: 'a', path: file },
  ];
  expect(createLocate(sources)('auth.apiGate')).toEqual({ file, line });
});

/** Writes a file into the folder, and returns its path. */
function write(name: string, text: string): string {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

/** Returns a function that finds places in files with these texts by their names; the configuration is the first of them. */
function locateIn(texts: Record<string, string>) {
  const [file] = Object.entries(texts).map(([name, text]) => write(name, text));
  const data = { auth: { apiGate: { allow: [], mode: 'enforce' } } };
  const locate = createLocate([{ data, path: file }]);
  return (message: string) => {
    const place = locate(message);
    return place && [path.relative(folder, place.file), place.line];
  };
}

const RULES = `auth:
  apiGate:
    mode: enforce
    allow:
      - plugin: catalog
        path: /a
      - &b
        plugin: search
        path: /b
      - *b
`;

describe('the place of a message', () => {
  it.each([
    ['auth.apiGate.mode must be one of enforce, report-only', 3],
    ['auth.apiGate.allow must be a list of rules', 4],
    ['auth.apiGate.allow[0] is repeated', 5],
    ['auth.apiGate.allow[0].path must be a path', 6],
    ['auth.apiGate.allow[1].path must be a path', 9],
    ['auth.apiGate.allow[2].path must be a path', 9],
    // The file does not have these; their nearest parents have lines.
    ['auth.apiGate.allow[0].reason must be text', 5],
    ['auth.apiGate.allow[12].path must be a path', 4],
    ['auth.apiGate.mode[0].path must be a path', 3],
  ])('is the line of its config path: %s', (message, line) => {
    const locate = locateIn({ 'app-config.yaml': RULES });
    expect(locate(message)).toEqual(['app-config.yaml', line]);
  });

  it.each([
    ['names no config path', 'There is no rule'],
    ['does not begin with one', 'the rule auth.apiGate.allow[0] is repeated'],
    ['is about a setting of no file', 'auth.apiGate.operators[0] must be one'],
  ])('is not known if the message %s', (_, message) => {
    const locate = locateIn({ 'app-config.yaml': RULES });
    expect(locate(message)).toBeUndefined();
  });

  it('is in the last file that has the setting', () => {
    const sources = [{ mode: 1, allow: [] }, { allow: [] }, { audit: 1 }].map(
      (apiGate, i) => ({
        data: { auth: { apiGate } },
        path: write(`${i}.yaml`, RULES),
      }),
    );
    const locate = createLocate(sources);
    const places = ['mode', 'allow[0].path', 'audit'].map(setting =>
      locate(`auth.apiGate.${setting} is wrong`),
    );
    expect(places).toEqual([
      { file: sources[0].path, line: 3 },
      { file: sources[1].path, line: 6 },
      { file: sources[2].path, line: 2 },
    ]);
  });

  it('is in the file that has a key which every object inherits', () => {
    const file = write('a.yaml', 'auth:\n  apiGate:\n    toString: 1\n');
    const locate = createLocate([
      { data: { auth: { apiGate: { toString: 1 } } }, path: file },
      { data: { auth: { apiGate: {} } }, path: path.join(folder, 'b.yaml') },
    ]);
    expect(locate('auth.apiGate.toString is not known')).toEqual({
      file,
      line: 3,
    });
  });

  it('has no line in a file that is gone', () => {
    const file = path.join(folder, 'gone.yaml');
    const data = { auth: { apiGate: {} } };
    const locate = createLocate([{ data, path: file }]);
    expect(locate('auth.apiGate must be an object')).toEqual({ file });
  });
});

describe('the place of a setting that another file has', () => {
  const PATH = 'auth.apiGate.allow[0].path must be a path';
  const withAllow = (allow: string) => `auth:\n  apiGate:\n    allow: ${allow}`;

  it.each([
    ['the whole file', 'more/rules.yaml', '# Rules\n- path: /a'],
    [
      'a part of the file',
      'more/rules.yaml#gate.rules',
      'gate: { mode: x,\n  rules: [{ path: /a }] }',
    ],
  ])('is the line in %s', (_, reference, text) => {
    const locate = locateIn({
      'app-config.yaml': withAllow(`{ $include: '${reference}' }`),
      'more/rules.yaml': text,
    });
    expect(locate(PATH)).toEqual(['more/rules.yaml', 2]);
  });

  it('is the line of the include if the message is about that', () => {
    const locate = locateIn({
      'app-config.yaml': withAllow('\n      - $include: rule.yaml'),
      'rule.yaml': 'path: /a',
    });
    expect(locate('auth.apiGate.allow[0] must be an object')).toEqual([
      'app-config.yaml',
      4,
    ]);
    expect(locate(PATH)).toEqual(['rule.yaml', 1]);
  });

  it.each(['${RULES}.yaml', 7])('is the line of the include of %s', name => {
    const include = withAllow(`{ $include: ${JSON.stringify(name)} }`);
    const locate = locateIn({ 'app-config.yaml': include });
    expect(locate(PATH)).toEqual(['app-config.yaml', 3]);
  });

  it('is the last of ten files that include one another', () => {
    const names = Array.from({ length: 13 }, (_, i) => `${i}.yaml`);
    const texts = names.map((name, i) => [name, `$include: ${i + 1}.yaml`]);
    const locate = locateIn(Object.fromEntries(texts));
    expect(locate(PATH)).toEqual(['10.yaml', undefined]);
  });
});

it('formats a place by the path from the working directory', () => {
  const file = path.resolve('config', 'app-config.yaml');
  const relative = path.join('config', 'app-config.yaml');
  expect(formatLocation({ file })).toBe(relative);
  expect(formatLocation({ file, line: 7 })).toBe(`${relative}:7`);
});
