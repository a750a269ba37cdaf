import { readFileSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(__dirname, '../../..');

const read = (file: string) => readFileSync(path.join(root, file), 'utf8');

/** `[name of a test](its file)`, as SECURITY.md has them. */
const links = [
  ...read('SECURITY.md').matchAll(/\[([^\]]+)\]\(((?:src|\.ci)\/[^)]+)\)/g),
].map(([, name, file]) => [name, file]);

describe('SECURITY.md', () => {
  it('names tests for what it promises', () => {
    expect(links.length).toBeGreaterThan(20);
  });

  it.each(links)('names a test that is there: %s, in %s', (name, file) => {
    expect(read(file)).toContain(name);
  });
});
