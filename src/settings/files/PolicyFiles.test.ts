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
import { until } from '../../__tests__/__testUtils__/until';
import { temporaryFolder } from '../../__tests__/__testUtils__/temporaryFolder';
import { PolicyFiles } from './PolicyFiles';

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
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
    ConfigSources.toConfig(
      ConfigSources.default({ argv, watch: false, env: {} }),
    );
  const config = await read();
  jest.replaceProperty(process, 'argv', argv);
  const compared = new PolicyFiles(config);
  return {
    /** Reads the files again, as a backend whose watcher has seen the change. */
    reload: async () => Object.assign(config, await read()),
    newer: () => compared.findNewer(),
    count: () => compared.countNewer(),
    compared,
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

  it('are those whose include has changed, while their own text stays', async () => {
    write('rules.yaml', '[1]');
    const { newer } = await load(
      write('including.yaml', 'allow: { $include: rules.yaml }'),
    );
    expect(await newer()).toEqual([]);
    write('rules.yaml', '[1, 2]');
    expect(await newer()).toEqual(['including.yaml']);
  });

  it('are those which were empty, and which are gone or broken', async () => {
    const empty = write('empty.yaml', '');
    const gone = write('gone.yaml', 'a: 1');
    const broken = write('broken.yaml', 'a: 1');
    const both = write('both.yaml', '');
    const { newer } = await load(empty, gone, broken, both);
    expect(await newer()).toEqual([]);
    write('empty.yaml', 'a: 1');
    rmSync(gone);
    write('broken.yaml', 'a: [');
    write('both.yaml', 'a: [');
    expect(await newer()).toEqual([
      'empty.yaml',
      'gone.yaml',
      'broken.yaml',
      'both.yaml',
    ]);
  });

  it('are not known where Backstage has no folder in which it looks for files', async () => {
    const { newer } = await load(write('app-config.yaml', 'a: 1'));
    const cwd = jest.spyOn(process, 'cwd');
    cwd.mockReturnValue(path.join(folder, 'none'));
    const found = await newer();
    cwd.mockRestore();
    expect(found).toBeUndefined();
    expect(await newer()).toEqual([]);
  });

  it('are read once while nothing changes, and without a watcher, which nothing would close', async () => {
    const file = write('app-config.yaml', 'a: 1');
    const { newer } = await load(file);
    const create = jest.spyOn(FileConfigSource, 'create');
    expect(await newer()).toEqual([]);
    expect(await newer()).toEqual([]);
    const unwatched = create.mock.calls.filter(
      ([{ watch }]) => watch === false,
    );
    expect(unwatched).toEqual([[{ path: file, watch: false }]]);
    create.mockRestore();
  });

  it('are counted at the call before', async () => {
    const file = write('app-config.yaml', 'a: 1');
    const { count } = await load(file, write('local.yaml', 'b: 1'));
    expect(count()).toBe(-1);
    await until(() => count() === 0);
    write('app-config.yaml', 'a: 2');
    await until(() => count() === 1);
    rmSync(file);
    write('local.yaml', 'b: 2');
    await until(() => count() === 2);
  });

  it('are not known before the backend has read them', async () => {
    const { count, reload } = await load(write('app-config.yaml', 'a: 1'));
    write('app-config.yaml', 'a: 2');
    for (let i = 0; i < 10; i += 1) {
      expect(count()).toBe(-1);
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    await reload();
    await until(() => count() === 0);
    write('app-config.yaml', 'a: 3');
    await until(() => count() === 1);
  });

  it('are counted by one read at a time, and are not known after a failure', async () => {
    const { compared, count } = await load(write('app-config.yaml', 'a: 1'));
    let fail: (error: Error) => void = () => {};
    const find = jest.spyOn(compared, 'findNewer').mockReturnValue(
      new Promise((_resolve, reject) => {
        fail = reject;
      }),
    );
    for (let i = 0; i < 1_000; i += 1) {
      expect(count()).toBe(-1);
    }
    expect(find).toHaveBeenCalledTimes(1);
    fail(new Error('The file system hangs'));
    find.mockResolvedValue([]);
    await until(() => count() === 0);
    find.mockResolvedValue(['app-config.yaml']);
    await until(() => count() === 1);
    find.mockRejectedValue(new Error('The file system is gone'));
    await until(() => count() === -1);
  });

  it('are not known for a configuration from elsewhere', async () => {
    const file = write('app-config.yaml', 'a: 1');
    const argv = ['--config', file, '--config', 'https://example.com/x.yaml'];
    jest.replaceProperty(process, 'argv', argv);
    const files = new PolicyFiles(new ConfigReader({ a: 1 }));
    expect(await files.findNewer()).toBeUndefined();
  });
});
