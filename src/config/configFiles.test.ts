import {
  mkdir,
  mkdtemp,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Config, ConfigReader } from '@backstage/config';
import { ConfigSources } from '@backstage/config-loader';
import type { JsonObject } from '@backstage/types';
import {
  findListSources,
  findNewerFiles,
  formatListSource,
} from './configFiles';

/** Layers files as Backstage does: later ones are stronger. */
const layered = (...layers: [file: string, apiGate: JsonObject | null][]) =>
  ConfigReader.fromConfigs(
    layers.map(([context, apiGate]) => ({
      context,
      data: { auth: { apiGate } },
    })),
  );

const rule = { plugin: 'a', path: '/a' };

describe('findListSources', () => {
  it('has the file of a list, and the lists that it replaces', () => {
    const config = layered(
      ['app-config.yaml', { allow: [rule, rule, rule], issuers: ['x'] }],
      ['app-config.local.yaml', { allow: [rule] }],
      [
        'app-config.production.yaml',
        { allow: [rule, rule], cookie: { trustedOrigins: [] } },
      ],
    );
    expect(findListSources(config).map(formatListSource)).toEqual([
      'auth.apiGate.allow: 2 of app-config.production.yaml, in place of 1 of app-config.local.yaml and 3 of app-config.yaml: Backstage does not merge lists',
      'auth.apiGate.cookie.trustedOrigins: 0 of app-config.production.yaml',
      'auth.apiGate.issuers: 1 of app-config.yaml',
    ]);
  });

  it('reads the configuration that a proxy of Backstage holds', () => {
    const config = layered(['app-config.yaml', { allow: [rule] }]);
    const getOptional = (key: string) => config.getOptional(key);
    expect(
      findListSources({ config, getOptional } as unknown as Config),
    ).toEqual([
      {
        path: 'auth.apiGate.allow',
        file: 'app-config.yaml',
        entries: 1,
        replaces: [],
      },
    ]);
  });

  it('passes over values that are no lists, and files without settings', () => {
    const withList = {
      context: 'app-config.yaml',
      data: { auth: { apiGate: { mode: 'enforce', until: null, allow: [1] } } },
    };
    const layers = [{}, { data: null }, { data: { auth: null } }, withList];
    const config = layers.reduceRight<object | undefined>(
      (fallback, layer) => ({ context: 'x', ...layer, fallback }),
      undefined,
    );
    const getOptional = () => [];
    expect(
      findListSources({ config, getOptional } as unknown as Config),
    ).toMatchObject([{ path: 'auth.apiGate.allow', file: 'app-config.yaml' }]);
  });

  it('is empty for a configuration of which one layer can not be read', () => {
    const config = {
      context: 'app-config.yaml',
      data: { auth: { apiGate: { allow: [1] } } },
      get fallback(): never {
        throw new Error('private');
      },
    };
    const getOptional = () => [];
    expect(
      findListSources({ config, getOptional } as unknown as Config),
    ).toEqual([]);
  });

  it('has none that a stronger file takes away', () => {
    const config = layered(
      ['app-config.yaml', { allow: [rule] }],
      ['app-config.local.yaml', null],
    );
    expect(findListSources(config)).toEqual([]);
  });

  it.each([
    ['has no such fields', {}],
    ['has others in their place', { config: { context: 7, data: 'text' } }],
    ['has a layer that is not an object', { context: 'file', data: null }],
    [
      'throws',
      new Proxy(
        {},
        {
          get(_, key) {
            if (key !== 'getOptional') {
              throw new Error('private');
            }
            return () => undefined;
          },
        },
      ),
    ],
  ])('is empty for a configuration that %s', (_, config) => {
    expect(findListSources(config as Config)).toEqual([]);
  });
});

describe('findNewerFiles', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'api-gate-files-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const write = async (name: string, text: string) => {
    const file = path.join(folder, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
    return file;
  };

  /** Loads files without a watcher, as if it had missed each change. */
  async function load(...files: string[]) {
    const argv = files.flatMap(file => ['--config', file]);
    const source = ConfigSources.default({ argv, watch: false, env: {} });
    const config = await ConfigSources.toConfig(source);
    return () => findNewerFiles(config, argv);
  }

  it('finds a file that has changed, by its name', async () => {
    const files = [
      await write('app-config.yaml', 'a: 1'),
      await write('app-config.production.yaml', 'a: 2'),
      await write('other/app-config.yaml', 'a: 3'),
    ];
    const find = await load(...files);
    expect(await find()).toEqual([]);
    await write('app-config.production.yaml', 'a: 1');
    expect(await find()).toEqual(['app-config.production.yaml']);
    // A comment changes nothing.
    await write('app-config.production.yaml', 'a: 2 # or 1');
    await write('other/app-config.yaml', 'a: 1');
    expect(await find()).toEqual(['app-config.yaml']);
  });

  it('finds the volume of a Kubernetes ConfigMap that got new files while the old ones stay', async () => {
    await write('v1/app-config.yaml', 'auth: { apiGate: { allow: [] } }');
    await write('v2/app-config.yaml', 'auth: { apiGate: { allow: [1] } }');
    const data = path.join(folder, '..data');
    await symlink('v1', data);
    const file = path.join(folder, 'app-config.yaml');
    await symlink('..data/app-config.yaml', file);
    const find = await load(file);
    expect(await find()).toEqual([]);
    await symlink('v2', `${data}_tmp`);
    await rename(`${data}_tmp`, data);
    expect(await find()).toEqual(['app-config.yaml']);
  });

  it('finds a file whose include has changed, which was empty, and which is gone or broken', async () => {
    await write('rules.yaml', '[1]');
    const including = await write(
      'including.yaml',
      'allow: { $include: rules.yaml }',
    );
    const empty = await write('empty.yaml', '');
    const gone = await write('gone.yaml', 'a: 1');
    const broken = await write('broken.yaml', 'a: 1');
    const find = await load(including, empty, gone, broken);
    expect(await find()).toEqual([]);
    await write('rules.yaml', '[1, 2]');
    await write('empty.yaml', 'a: 1');
    await rm(gone);
    await write('broken.yaml', 'a: [');
    expect(await find()).toEqual([
      'including.yaml',
      'empty.yaml',
      'gone.yaml',
      'broken.yaml',
    ]);
  });

  it('returns nothing for a configuration from elsewhere', async () => {
    const file = await write('app-config.yaml', 'a: 1');
    const argv = ['--config', file, '--config', 'https://example.com/x.yaml'];
    const config = new ConfigReader({ a: 1 });
    expect(await findNewerFiles(config, argv)).toBeUndefined();
  });
});
