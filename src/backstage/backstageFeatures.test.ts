import { coreServices } from '@backstage/backend-plugin-api';
import { ConfigReader } from '@backstage/config';
import { rootSystemMetadataServiceRef } from './backstageFeatures';

/** The service that a backend makes where the release has none of its own, as `ServiceRegistry` of Backstage does. */
async function fallbackOf<T>(
  ref: { T: T },
  services: Map<unknown, unknown>,
): Promise<T> {
  const { __defaultFactory: createFactory } = ref as any;
  const { deps, factory } = await createFactory(ref);
  const names = Object.keys(deps);
  return factory(
    Object.fromEntries(names.map(name => [name, services.get(deps[name])])),
  );
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
    const service = await fallbackOf(
      rootSystemMetadataServiceRef,
      new Map([[coreServices.rootConfig, new ConfigReader(config)]]),
    );
    const plugins = await service.getInstalledPlugins();
    expect(plugins.map(({ pluginId }) => pluginId)).toEqual(expected);
  },
);
