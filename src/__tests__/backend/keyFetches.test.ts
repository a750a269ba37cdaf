import path from 'node:path';
import catalogPlugin from '@backstage/plugin-catalog-backend';
import permissionPlugin from '@backstage/plugin-permission-backend';
import allowAllPolicy from '@backstage/plugin-permission-backend-module-allow-all-policy';
import techdocsPlugin from '@backstage/plugin-techdocs-backend';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { bearer, COOKIE_ENDPOINT } from '../__testUtils__/requestParts';
import { signedBackends } from '../__testUtils__/signedBackends';
import { until } from '../__testUtils__/until';

const DEV = path.resolve(__dirname, '../../../dev');
const DOCS = '/api/techdocs/static/docs/default/component/example';

const ENTITY = '/api/catalog/entities/by-name/component/default/example';

const backends = signedBackends();

/**
 * Signs a guest in, and calls plugins one by one, each of which Backstage protects. Returns the statuses, and how often the access log
 * has a request for keys of users, and of plugins.
 */
async function signInAndCall(withGate: boolean) {
  const { get, guest, logged, statusOf, stop } = await backends.start({
    withGate,
    features: [
      catalogPlugin,
      permissionPlugin,
      allowAllPolicy,
      techdocsPlugin,
      recordingPlugin('hello').feature,
      recordingPlugin('other').feature,
    ],
    config: {
      permission: { enabled: true },
      catalog: {
        locations: [
          {
            type: 'file',
            target: path.join(DEV, 'entities.yaml'),
            rules: [{ allow: ['Component', 'User', 'Group'] }],
          },
        ],
      },
      techdocs: {
        builder: 'external',
        publisher: {
          type: 'local',
          local: { publishDirectory: path.join(DEV, 'docs') },
        },
      },
    },
  });
  const token = bearer(await guest());
  // The catalog takes a moment to process its location. A plugin fetches keys once, however often it is called.
  await until(async () => (await statusOf(ENTITY, token)) === 200);
  const statuses = [];
  for (const target of [
    `/api/hello${COOKIE_ENDPOINT}`,
    `${DOCS}/index.html`,
    '/api/hello/data',
    '/api/other/data',
    '/api/permission/absent',
    ENTITY,
    `${DOCS}/image.png`,
  ]) {
    statuses.push((await get(target, token)).status);
    // The gate may fetch in the background.
    await new Promise(resolve => {
      setTimeout(resolve, 100);
    });
  }
  await stop();
  const fetches = (line: string) => logged(`"GET ${line}`, 'info').length;
  return {
    statuses,
    ofUsers: fetches('/api/auth/.well-known/jwks.json'),
    ofPlugins: logged('/.backstage/auth/v1/jwks.json HTTP', 'info').length,
  };
}

it('after a sign-in, keys are fetched no more often with the gate than without', async () => {
  const alone = await signInAndCall(false);
  expect(alone.statuses).toEqual([200, 200, 200, 200, 404, 200, 200]);
  expect(alone.ofUsers).toBeGreaterThan(3);
  const { statuses, ofUsers, ofPlugins } = await signInAndCall(true);
  expect(statuses).toEqual(alone.statuses);
  expect(ofUsers).toBeLessThanOrEqual(alone.ofUsers);
  expect(ofPlugins).toBeLessThanOrEqual(alone.ofPlugins);
});
