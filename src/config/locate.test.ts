import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createLocate } from './locate';

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
  const file = path.join(folder, 'app-config.yaml');
  writeFileSync(file, yaml);
  const sources = [
    { data: { auth: { apiGate: 1 } }, context: 'a', path: file },
  ];
  expect(createLocate(sources)('auth.apiGate')).toEqual({ file, line });
});

it('finds the line in a text that has been read already', () => {
  const file = path.join(folder, 'app-config.yaml');
  writeFileSync(file, 'auth:\n  apiGate: 1\n');
  const sources = [{ data: { auth: { apiGate: 1 } }, path: file }];
  const texts = new Map([[file, '# A comment\nauth:\n  apiGate: 1\n']]);
  expect(createLocate(sources, texts)('auth.apiGate')).toEqual({
    file,
    line: 3,
  });
});
