import { ConfigReader } from '@backstage/config';
import {
  instanceMetadataServiceRef,
  rootInstanceMetadataServiceRef,
  rootSystemMetadataServiceRef,
} from './backstageFeatures';

/** The service that a backend makes where the release has none of its own, as `ServiceRegistry` of Backstage does. */
async function fallbackOf<T>(ref: { T: T }, deps: object = {}): Promise<T> {
  const { __defaultFactory: createFactory } = ref as any;
  const factory = await createFactory(ref);
  return factory.factory(deps);
}

it.each([
  [rootInstanceMetadataServiceRef, 'core.rootInstanceMetadata', 'root'],
  [rootSystemMetadataServiceRef, 'core.rootSystemMetadata', 'root'],
  [instanceMetadataServiceRef, 'core.instanceMetadata', 'plugin'],
])('%s is the service of Backstage', (ref, id, scope) => {
  expect(ref).toMatchObject({ id, scope });
});

it('leaves open which plugins are installed without rootInstanceMetadata', async () => {
  const service = await fallbackOf(rootInstanceMetadataServiceRef);
  expect(await service.getInstalledPlugins()).toBe(undefined);
});

it('has no features without instanceMetadata', async () => {
  const service = await fallbackOf(instanceMetadataServiceRef);
  expect(service.getInstalledFeatures()).toEqual([]);
});

it.each([
  ['no endpoints', {}, []],
  [
    'endpoints of both forms',
    {
      discovery: {
        endpoints: [
          { target: 'http://a/api/{{pluginId}}', plugins: ['catalog'] },
          {
            target: { internal: 'http://b/api/{{pluginId}}' },
            plugins: ['search', 'techdocs'],
          },
        ],
      },
    },
    ['catalog', 'search', 'techdocs'],
  ],
])(
  'reads the plugins of other backends without rootSystemMetadata: %s',
  async (_, config, expected) => {
    const service = await fallbackOf(rootSystemMetadataServiceRef, {
      config: new ConfigReader(config),
    });
    const plugins = await service.getInstalledPlugins();
    expect(plugins.map(({ pluginId }) => pluginId)).toEqual(expected);
  },
);
