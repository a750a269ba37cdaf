import {
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { ConfigReader } from '@backstage/config';
import { ConfigSources, FileConfigSource } from '@backstage/config-loader';
import { temporaryFolder } from '../__testUtils__/temporaryFolder';
import { findListSources } from '../config/configFiles';
import { formatLocation } from '../config/locate';
import { PolicyFiles } from './PolicyFiles';

let folder: string;
let env: Record<string, string>;
beforeEach(() => {
  folder = temporaryFolder();
  env = {};
});

function write(name: string, text: string): string {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

/** Loads files without a watcher, as if it had missed each change. */
async function load(...files: string[]) {
  const argv = files.flatMap(file => ['--config', file]);
  const read = () =>
    ConfigSources.toConfig(ConfigSources.default({ argv, watch: false, env }));
  const config = await read();
  const source = {
    current: {} as never,
    isChanging: false,
    lists: findListSources(config),
    problem: undefined as string | undefined,
  };
  const compared = new PolicyFiles(config, source, () => argv);
  return {
    source,
    compare: () => compared.compare(),
    /** Reads the files again, as a backend whose watcher has seen the change. */
    reload: async () => Object.assign(config, await read()),
    newer: async () => (await compared.compare()).newer,
    /** Returns the places by config path, with paths from the folder. */
    async places() {
      const { places } = await compared.compare();
      return Object.fromEntries(
        [...places].map(([entry, { file, line }]) => [
          entry.replace('auth.apiGate.', ''),
          formatLocation({ file: path.relative(folder, file), line }),
        ]),
      );
    },
  };
}

describe('the files that are newer than the policy', () => {
  it('are found by their names', async () => {
    const files = [
      write('app-config.yaml', 'a: 1'),
      write('app-config.production.yaml', 'a: 2'),
      write('other/app-config.yaml', 'a: 3'),
    ];
    const { newer, reload } = await load(...files);
    expect(await newer()).toEqual([]);
    write('app-config.production.yaml', 'a: 1');
    expect(await newer()).toEqual(['app-config.production.yaml']);
    await reload();
    expect(await newer()).toEqual([]);
    write('app-config.production.yaml', 'a: 2');
    await reload();
    // A comment changes nothing.
    write('app-config.production.yaml', 'a: 2 # or 1');
    write('other/app-config.yaml', 'a: 1');
    expect(await newer()).toEqual(['app-config.yaml']);
  });

  it('are those of a Kubernetes ConfigMap whose volume got new files while the old ones stay', async () => {
    write('v1/app-config.yaml', 'auth: { apiGate: { allow: [] } }');
    write('v2/app-config.yaml', 'auth: { apiGate: { allow: [1] } }');
    const data = path.join(folder, '..data');
    symlinkSync('v1', data);
    const file = path.join(folder, 'app-config.yaml');
    symlinkSync('..data/app-config.yaml', file);
    const { newer } = await load(file);
    expect(await newer()).toEqual([]);
    symlinkSync('v2', `${data}_tmp`);
    renameSync(`${data}_tmp`, data);
    expect(await newer()).toEqual(['app-config.yaml']);
  });

  it('are those whose include has changed, which were empty, and which are gone or broken', async () => {
    write('rules.yaml', '[1]');
    const including = write(
      'including.yaml',
      'allow: { $include: rules.yaml }',
    );
    const empty = write('empty.yaml', '');
    const gone = write('gone.yaml', 'a: 1');
    const broken = write('broken.yaml', 'a: 1');
    const both = write('both.yaml', '');
    const { newer } = await load(including, empty, gone, broken, both);
    expect(await newer()).toEqual([]);
    write('rules.yaml', '[1, 2]');
    write('empty.yaml', 'a: 1');
    rmSync(gone);
    write('broken.yaml', 'a: [');
    write('both.yaml', 'a: [');
    expect(await newer()).toEqual([
      'including.yaml',
      'empty.yaml',
      'gone.yaml',
      'broken.yaml',
      'both.yaml',
    ]);
  });

  it('are not known where Backstage has no folder in which it looks for files', async () => {
    const { compare } = await load(write('app-config.yaml', 'a: 1'));
    const cwd = jest.spyOn(process, 'cwd');
    cwd.mockReturnValue(path.join(folder, 'none'));
    const compared = await compare();
    cwd.mockRestore();
    expect(compared).toEqual({ places: new Map() });
    expect(await compare()).toMatchObject({ newer: [] });
  });

  it('are read without a watcher, which nothing would close', async () => {
    const file = write('app-config.yaml', 'a: 1');
    const { newer } = await load(file);
    const create = jest.spyOn(FileConfigSource, 'create');
    expect(await newer()).toEqual([]);
    expect(create).toHaveBeenLastCalledWith({ path: file, watch: false });
    create.mockRestore();
  });

  it('are not known for a configuration from elsewhere', async () => {
    const file = write('app-config.yaml', 'a: 1');
    const argv = ['--config', file, '--config', 'https://example.com/x.yaml'];
    const source = {
      current: {} as never,
      isChanging: false,
      lists: [],
      problem: undefined,
    };
    const files = new PolicyFiles(
      new ConfigReader({ a: 1 }),
      source,
      () => argv,
    );
    expect(await files.compare()).toEqual({ places: new Map() });
  });
});

describe('the places of rules and tokens', () => {
  const RULES = `
    allow:
      - { plugin: a, path: /a }

      - plugin: b
        path: /b
`;
  const GATE = `auth:
  apiGate:${RULES}    tokens: [{ subject: x }]
    issuers: [https://a.example.com]
`;

  it('are the lines of the file that is in force', async () => {
    const weaker = write('app-config.yaml', `auth:\n  apiGate:\n${RULES}`);
    const stronger = write('app-config.production.yaml', GATE);
    const { places } = await load(weaker, stronger);
    const file = 'app-config.production.yaml';
    expect(await places()).toEqual({
      'allow[0]': `${file}:4`,
      'allow[1]': `${file}:6`,
      'tokens[0]': `${file}:8`,
    });
  });

  it('are those of the stronger of two files with one name, and none for a variable of the environment', async () => {
    const weaker = write('a/app-config.yaml', GATE);
    const stronger = write('b/app-config.yaml', `auth:\n  apiGate:\n${RULES}`);
    const { places } = await load(weaker, stronger);
    expect(await places()).toEqual({
      'allow[0]': 'b/app-config.yaml:5',
      'allow[1]': 'b/app-config.yaml:7',
      'tokens[0]': 'a/app-config.yaml:8',
    });
    env = {
      APP_CONFIG_auth_apiGate_allow: '[{ "plugin": "c", "path": "/c" }]',
    };
    expect(await (await load(weaker, stronger)).places()).toEqual({
      'tokens[0]': 'a/app-config.yaml:8',
    });
  });

  it('are those of the file that another includes, and follow its comments', async () => {
    const rules = 'allow:\n  - { plugin: a, path: /a }\n';
    write('gate.yaml', rules);
    const file = write(
      'app-config.yaml',
      'auth:\n  apiGate:\n    allow: { $include: gate.yaml#allow }\n',
    );
    const { places } = await load(file, write('other.yaml', 'a: 1'));
    expect(await places()).toEqual({ 'allow[0]': 'gate.yaml:2' });
    write('gate.yaml', `# A comment moves them.\n${rules}`);
    expect(await places()).toEqual({ 'allow[0]': 'gate.yaml:3' });
    write('gate.yaml', rules.replace('/a', '/b'));
    expect(await places()).toEqual({});
    write('gate.yaml', rules);
    expect(await places()).toEqual({ 'allow[0]': 'gate.yaml:2' });
  });

  it('are the line of an include whose file has a name with a variable', async () => {
    process.env.API_GATE_TEST_FILE = 'gate';
    try {
      write('gate.yaml', '[{ plugin: a, path: /a }]');
      const include = '{ $include: "${API_GATE_TEST_FILE}.yaml" }';
      const { newer, places } = await load(
        write('app-config.yaml', `auth:\n  apiGate:\n    allow: ${include}\n`),
      );
      expect(await newer()).toEqual([]);
      expect(await places()).toEqual({ 'allow[0]': 'app-config.yaml:3' });
    } finally {
      delete process.env.API_GATE_TEST_FILE;
    }
  });

  it('[P88] follow a comment, and are left out once the file has another policy', async () => {
    const file = write('app-config.yaml', GATE);
    const { places } = await load(file);
    expect(await places()).toMatchObject({ 'allow[0]': 'app-config.yaml:4' });
    write('app-config.yaml', `# A comment moves them.\n${GATE}`);
    expect(await places()).toMatchObject({ 'allow[0]': 'app-config.yaml:5' });
    write('app-config.yaml', GATE.replace('/a', '/c'));
    expect(await places()).toEqual({});
    rmSync(file);
    expect(await places()).toEqual({});
    write('app-config.yaml', GATE);
    expect(await places()).toMatchObject({ 'allow[0]': 'app-config.yaml:4' });
  });

  it('are left out where the configuration is wrong, so that another policy is in force', async () => {
    const { places, source } = await load(write('app-config.yaml', GATE));
    source.problem = 'auth.apiGate.allow[0] is wrong';
    expect(await places()).toEqual({});
    source.problem = undefined;
    expect(Object.keys(await places())).toHaveLength(3);
  });

  it('are left out of an answer during which the policy changes', async () => {
    const { compare, source } = await load(write('app-config.yaml', GATE));
    const compared = compare();
    source.current = {} as never;
    expect((await compared).places).toEqual(new Map());
    expect((await compare()).places.size).toBe(3);
  });

  it('are found once for 1,000 rules, as long as the file has the same text', async () => {
    const rules = Array.from(
      { length: 1_000 },
      (_, i) => `      - { plugin: p${i % 50}, path: /a/b${i} }\n`,
    );
    const gate = `auth:\n  apiGate:\n    allow:\n${rules.join('')}`;
    const { places, compare } = await load(write('app-config.yaml', gate));
    expect(await places()).toMatchObject({
      'allow[0]': 'app-config.yaml:4',
      'allow[999]': 'app-config.yaml:1003',
    });
    const { places: before } = await compare();
    expect((await compare()).places).toBe(before);
  });

  it('are found once for questions at the same time, where a file includes another', async () => {
    write('rules.yaml', '[{ plugin: a, path: /a }]');
    const { compare } = await load(
      write(
        'app-config.yaml',
        'auth: { apiGate: { allow: { $include: rules.yaml } } }',
      ),
    );
    const [first, second] = await Promise.all([compare(), compare()]);
    expect(first.places.size).toBe(1);
    expect(second).toBe(first);
    expect(await compare()).not.toBe(first);
  });
});
