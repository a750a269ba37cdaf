import { execFile } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { root } from '../__testUtils__/documents';
import { temporaryFolder } from '../__testUtils__/temporaryFolder';

jest.setTimeout(30_000);

const OWNER = '.ci/publish/owner.json';
const MADE_UP: Record<string, string> = JSON.parse(
  readFileSync(path.join(root, '.ci/publish/madeUp.json'), 'utf8'),
);

/** The files that the script writes. */
const WRITTEN = [
  'README.md',
  'SECURITY.md',
  'catalog-info.yaml',
  'package.json',
  'plugin-directory/api-gate.yaml',
];

/** Copies what the script reads, with values of the owner. */
function copyWith(owner: object) {
  const folder = temporaryFolder();
  for (const file of ['.ci/publish', ...WRITTEN]) {
    cpSync(path.join(root, file), path.join(folder, file), {
      recursive: true,
    });
  }
  const setOwner = (values: object) =>
    writeFileSync(path.join(folder, OWNER), JSON.stringify(values));
  setOwner(owner);
  const run = (command: string, ...args: string[]) =>
    promisify(execFile)(command, args, { cwd: folder }).then(
      () => ({ code: 0, stderr: '' }),
      error => error as { code: number; stderr: string },
    );
  return {
    setOwner,
    write: (...args: string[]) =>
      run('node', '.ci/publish/writeOwner.js', ...args),
    version: () => run('npm', 'version', '0.1.1', '--no-git-tag-version'),
    textOf: (file: string) => readFileSync(path.join(folder, file), 'utf8'),
  };
}

describe('.ci/publish/writeOwner.js', () => {
  it('has nothing to write into the files as they are', async () => {
    const owner = JSON.parse(readFileSync(path.join(root, OWNER), 'utf8'));
    expect(await copyWith(owner).write('--check')).toMatchObject({ code: 0 });
  });

  it("writes the owner's values into each file", async () => {
    const { write, textOf } = copyWith(MADE_UP);
    for (const file of WRITTEN) {
      expect((await write('--check')).stderr).toContain(`${file} is not what`);
    }
    expect(await write()).toMatchObject({ code: 0 });
    expect(await write('--complete')).toMatchObject({ code: 0 });

    expect(JSON.parse(textOf('package.json'))).toMatchObject({
      author: { name: 'Acme', url: 'https://acme.example.com' },
      homepage: 'https://github.com/acme/api-gate#readme',
      bugs: { url: 'https://github.com/acme/api-gate/issues' },
      repository: {
        type: 'git',
        url: 'git+https://github.com/acme/api-gate.git',
      },
    });
    expect(textOf('README.md')).toContain(
      'git clone https://github.com/acme/api-gate api-gate && cd api-gate\n',
    );
    expect(textOf('README.md').match(/^\[!\[/gm)).toHaveLength(3);
    const security = textOf('SECURITY.md').replace(/<!--[^>]*-->/g, '');
    expect(security).toContain('or by security@acme.example.com,');
    expect(security).toContain('answers within 3 days,');
    expect(security).toContain('within 21 days of');
    expect(security).not.toContain('proposed');
    expect(parse(textOf('catalog-info.yaml'))).toMatchObject({
      metadata: {
        annotations: {
          'backstage.io/source-location':
            'url:https://github.com/acme/api-gate/tree/HEAD/',
        },
      },
      spec: { owner: 'group:default/security' },
    });
    expect(parse(textOf('plugin-directory/api-gate.yaml'))).toMatchObject({
      author: 'Acme',
      authorUrl: 'https://acme.example.com',
      documentation: 'https://github.com/acme/api-gate#readme',
      addedDate: '2027-01-31',
    });
  });

  it('takes the values out again once the fields are empty', async () => {
    const { write, textOf, setOwner } = copyWith({});
    await write();
    const before = WRITTEN.map(textOf);
    setOwner(MADE_UP);
    await write();
    setOwner({});
    await write();
    expect(WRITTEN.map(textOf)).toEqual(before);
  });

  it.each(Object.keys(MADE_UP))(
    'npm version fails while a field is empty, and names it: %s',
    async field => {
      const { write, version, textOf } = copyWith({ ...MADE_UP, [field]: '' });
      await write();
      const { code, stderr } = await version();
      expect(code).toBe(1);
      expect(stderr).toContain(`${OWNER}: ${field} is empty, write `);
      expect(JSON.parse(textOf('package.json')).version).not.toBe('0.1.1');
    },
  );

  it('npm version fails while the values are not written, and succeeds then', async () => {
    const { write, version, textOf } = copyWith(MADE_UP);
    expect((await version()).stderr).toContain('package.json is not what');
    await write();
    expect(await version()).toMatchObject({ code: 0 });
    expect(JSON.parse(textOf('package.json')).version).toBe('0.1.1');
  });

  it.each([
    ['repository', 'git@github.com:acme/api-gate'],
    ['repository', 'https://github.com/acme/api-gate.git'],
    ['author', "'"],
    ['authorUrl', 'http://acme.example.com'],
    ['catalogOwner', 'security'],
    ['securityContact', 'nobody'],
    ['answerDays', 'soon'],
    ['addedDate', '31.1.2027'],
    ['adress', 'https://acme.example.com'],
  ])(
    'refuses a wrong value, and writes nothing: %s %s',
    async (field, value) => {
      const { write, textOf } = copyWith({ ...MADE_UP, [field]: value });
      const before = WRITTEN.map(textOf);
      const { code, stderr } = await write();
      expect(code).toBe(1);
      expect(stderr).toContain(field);
      expect(WRITTEN.map(textOf)).toEqual(before);
    },
  );
});
