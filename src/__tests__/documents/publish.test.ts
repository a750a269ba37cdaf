import { execFile, execFileSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
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
  'rhdh/CODEOWNERS',
  'rhdh/catalog-entities/extensions/plugins/api-gate.yaml',
  'rhdh/workspaces/api-gate/metadata/backstage-plugin-auth-backend-module-api-gate.yaml',
  'rhdh/workspaces/api-gate/source.json',
];

/** Copies what the script reads, with values of the owner. */
function copyWith(owner: object) {
  const folder = temporaryFolder();
  for (const file of ['.ci/publish', ...WRITTEN]) {
    cpSync(path.join(root, file), path.join(folder, file), {
      recursive: true,
    });
  }
  const setText = (file: string, text: string) =>
    writeFileSync(path.join(folder, file), text);
  const setOwner = (values: object) => setText(OWNER, JSON.stringify(values));
  setOwner(owner);
  execFileSync('git', ['init', '--quiet'], { cwd: folder });
  const run = (command: string, ...args: string[]) =>
    promisify(execFile)(command, args, { cwd: folder }).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      error => error as { code: number; stdout: string; stderr: string },
    );
  return {
    setOwner,
    write: (...args: string[]) =>
      run('node', '.ci/publish/writeOwner.js', ...args),
    setText,
    notes: () => run('node', '.ci/publish/changelog.js', 'notes'),
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
    const { stderr } = await write('--check');
    for (const file of WRITTEN) {
      expect(stderr).toContain(`${file} is not what`);
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
        directory: '.',
      },
    });
    expect(textOf('README.md').match(/^\[!\[/gm)).toHaveLength(3);
    const security = textOf('SECURITY.md').replace(/<!--[^>]*-->/g, '');
    expect(security).toContain('or by security@acme.example.com,');
    expect(security).toContain('answers within 3 days,');
    expect(security).toContain('comes out within 21 days.');
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
    const { version } = JSON.parse(textOf('package.json'));
    expect(JSON.parse(textOf('rhdh/workspaces/api-gate/source.json'))).toEqual({
      repo: 'https://github.com/acme/api-gate',
      'repo-ref': `v${version}`,
      'repo-flat': true,
      'repo-backstage-version': '1.57.0',
    });
    expect(textOf('rhdh/CODEOWNERS')).toBe('/workspaces/api-gate @acme\n');
    const [plugin, metadata] = WRITTEN.filter(file =>
      /^rhdh.*yaml$/.test(file),
    ).map(textOf);
    expect(`${plugin}${metadata}`).not.toMatch(/: ''$/m);
    expect(parse(plugin).spec.authors).toEqual([{ name: 'Acme' }]);
    expect(parse(metadata).spec).toMatchObject({ version, author: 'Acme' });
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

  // This is what npm runs before it writes a version.
  it.each([Object.keys(MADE_UP), ['author']])(
    'is not complete while fields are empty, and names each: %#',
    async (...fields) => {
      const empty = Object.fromEntries(fields.map(field => [field, '']));
      const { write } = copyWith({ ...MADE_UP, ...empty });
      await write();
      const { code, stderr } = await write('--complete');
      expect(code).toBe(1);
      for (const field of fields) {
        expect(stderr).toContain(`${OWNER}: ${field} is empty, write `);
      }
    },
  );

  it('npm version fails while the values are not written, and succeeds then', async () => {
    const { write, version, notes, setText, textOf } = copyWith(MADE_UP);
    setText('CHANGELOG.md', '# Changelog\n\n## [0.1.1] - Unreleased\n\nNew.\n');
    expect((await version()).stderr).toContain('package.json is not what');
    expect(JSON.parse(textOf('package.json')).version).not.toBe('0.1.1');
    await write();
    expect((await notes()).stderr).toContain('CHANGELOG.md has no');
    expect(await version()).toMatchObject({ code: 0 });
    expect(JSON.parse(textOf('package.json')).version).toBe('0.1.1');
    expect(textOf('rhdh/workspaces/api-gate/source.json')).toContain('v0.1.1');
    expect(await notes()).toMatchObject({ code: 0, stdout: 'New.\n' });
  });

  it.each([
    [
      {
        repository: 'git@github.com:acme/api-gate',
        author: "'",
        authorUrl: 'http://acme.example.com',
        catalogOwner: 'security',
        securityContact: 'nobody',
        answerDays: 'soon',
        addedDate: '31.1.2027',
      },
    ],
    [{ repository: 'https://github.com/acme/api-gate.git' }],
    [{ adress: 'https://acme.example.com' }],
  ])('refuses wrong values, and writes nothing: %j', async values => {
    const { write, textOf } = copyWith({ ...MADE_UP, ...values });
    const before = WRITTEN.map(textOf);
    const { code, stderr } = await write();
    expect(code).toBe(1);
    for (const field of Object.keys(values)) {
      expect(stderr).toMatch(
        new RegExp(`: (${field} must be|there is no field ${field}\\b)`),
      );
    }
    expect(WRITTEN.map(textOf)).toEqual(before);
  });
});

it("each link and picture of the README, as npm's page shows it, leads to a file of the repository", async () => {
  const { write, textOf } = copyWith(MADE_UP);
  await write();
  // The list has each file that is committed, or will be.
  const files = execFileSync(
    'git',
    ['ls-files', '--cached', '--others', '--exclude-standard'],
    { cwd: root, encoding: 'utf8' },
  ).split('\n');
  const address = `${MADE_UP.repository}/`;
  const readme = textOf('README.md');
  // Only `srcset` is left relative by npm.
  expect(readme.match(/srcset="/g)).toHaveLength(2);
  expect(readme.split(`srcset="${address}raw/HEAD/`)).toHaveLength(3);
  const found = [
    ...readme.matchAll(/(?:\]\(|\b(?:src|srcset|href)=")([^)"#]+)/g),
  ].flatMap(([, to]) => {
    if (!/^https:/.test(to)) {
      return to;
    }
    const [, file] = to.split(address);
    return (
      file
        ?.replace(/^(raw|blob|tree)\/HEAD\//, '')
        .replace(/^actions\/(workflows\/[^/]+).*/, '.github/$1') ?? []
    );
  });
  expect(found).toContain('.github/workflows/ci.yml');
  expect(found.length).toBeGreaterThan(30);
  expect(found.filter(file => !files.includes(file))).toEqual([]);
});

describe("the entry of Backstage's plugin directory", () => {
  // The rules of microsite/src/pluginDirectory/manifest.ts in backstage/backstage, which has no other keys either. Its pages cut descriptions.
  const RULES: Record<string, RegExp> = {
    title: /./,
    author: /./,
    authorUrl: /^https:/,
    category: /./,
    description: /^.{1,170}$/,
    documentation: /^https:/,
    iconUrl: /./,
    npmPackageName: /./,
    addedDate: /^\d{4}-\d\d-\d\d$/,
    status: /^(active|inactive|archived)$/,
  };

  it('has the keys and the values that the directory accepts', async () => {
    const { write, textOf } = copyWith(MADE_UP);
    await write();
    const entry = parse(textOf('plugin-directory/api-gate.yaml'));
    expect(Object.keys(entry)).toEqual(Object.keys(RULES));
    for (const [key, rule] of Object.entries(RULES)) {
      expect(`${key}: ${rule.test(entry[key])}`).toBe(`${key}: true`);
    }
    expect(entry.npmPackageName).toBe(JSON.parse(textOf('package.json')).name);
  });
});

it('the releases that backstage.json and the files for RHDH name are the newest that is tested', () => {
  const jsonOf = (file: string) =>
    JSON.parse(readFileSync(path.join(root, file), 'utf8'));
  const [newest] = readdirSync(path.join(root, '.ci/releases'))
    .filter(name => /^\d/.test(name))
    .sort()
    .reverse();
  const { release } = jsonOf(`.ci/releases/${newest}/package.json`);
  const version = `${release.version}.0`;
  expect(jsonOf('backstage.json')).toEqual({ version });
  expect(jsonOf('rhdh/workspaces/api-gate/source.json')).toMatchObject({
    'repo-backstage-version': version,
  });
  const { spec } = parse(
    readFileSync(
      path.join(
        root,
        WRITTEN.find(file => /metadata/.test(file))!,
      ),
      'utf8',
    ),
  );
  expect(spec.backstage.supportedVersions).toBe(version);
});

describe.each(['bug.yml', 'feature.yml'])('the form of issues %s', file => {
  it('has what GitHub asks of one', () => {
    const form = parse(
      readFileSync(path.join(root, '.github/ISSUE_TEMPLATE', file), 'utf8'),
    );
    expect(Object.keys(form)).toEqual([
      'name',
      'description',
      'labels',
      'body',
    ]);
    const ids = form.body.flatMap(({ id }: { id?: string }) => id ?? []);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { type, id, attributes, validations = {} } of form.body) {
      expect(['markdown', 'input', 'textarea']).toContain(type);
      expect(attributes[type === 'markdown' ? 'value' : 'label']).toMatch(/./);
      expect(id === undefined).toBe(type === 'markdown');
      expect(validations).toEqual(
        id && 'required' in validations ? { required: true } : {},
      );
    }
  });
});
