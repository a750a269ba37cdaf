import { ConfigReader } from '@backstage/config';
import { rootSystemMetadataServiceRef } from './backstageFeatures';

/** The service that a backend makes where the release has none of its own, as `ServiceRegistry` of Backstage does. */
async function fallbackOf<T>(ref: { T: T }, deps: object = {}): Promise<T> {
  const { __defaultFactory: createFactory } = ref as any;
  const factory = await createFactory(ref);
  return factory.factory(deps);
}

it('is the service of Backstage', () => {
  expect(rootSystemMetadataServiceRef).toMatchObject({
    id: 'core.rootSystemMetadata',
    scope: 'root',
  });
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
