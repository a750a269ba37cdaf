import { Config, ConfigReader } from '@backstage/config';
import type { ConfigSource } from '@backstage/config-loader';
import type { JsonObject } from '@backstage/types';
import {
  findListSources,
  formatListSource,
  pathsOf,
  readFiles,
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
      ['app-config.yaml', { allow: [rule, rule, rule], operators: ['x'] }],
      ['app-config.local.yaml', { allow: [rule] }],
      [
        'app-config.production.yaml',
        { allow: [rule, rule], cookie: { trustedOrigins: [] } },
      ],
    );
    expect(findListSources(config).map(formatListSource)).toEqual([
      'auth.apiGate.allow: 2 of app-config.production.yaml, in place of 1 of app-config.local.yaml and 3 of app-config.yaml: Backstage does not merge lists',
      'auth.apiGate.cookie.trustedOrigins: 0 of app-config.production.yaml',
      'auth.apiGate.operators: 1 of app-config.yaml',
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
  ])('is empty for a configuration that %s', (_, config) => {
    expect(findListSources(config as Config)).toEqual([]);
  });
});

it('reads the data of each file, that of the strongest first', () => {
  const config = layered(['app-config.yaml', {}], ['local.yaml', null]);
  expect(readFiles(config)).toEqual([
    { file: 'local.yaml', data: { auth: { apiGate: null } } },
    { file: 'app-config.yaml', data: { auth: { apiGate: {} } } },
  ]);
});

it.each([
  [
    'MergedConfigSource{FileConfigSource{path="/app/app-config.yaml"}, FileConfigSource{path="/app/b c.yaml"}, RemoteConfigSource{path="https://config.example.com/c.yaml"}, EnvConfigSource{count=0}}',
    ['/app/app-config.yaml', '/app/b c.yaml'],
  ],
  ['EnvConfigSource{count=1}', []],
])('finds the files of %s', (text, files) => {
  const source = { toString: () => text } as unknown as ConfigSource;
  expect(pathsOf(source)).toEqual(files);
});
