import badgesPlugin from '@backstage-community/plugin-badges-backend';
import { parse } from 'yaml';
import { blocksAfter } from '../../../../src/__tests__/__testUtils__/documents';
import { recordDeclared } from '../../../../src/__tests__/__testUtils__/expectScanned';
import { recordingPlugin } from '../../../../src/__tests__/__testUtils__/recordingPlugin';
import { signedBackends } from '../../../../src/__tests__/__testUtils__/signedBackends';

const [block] = blocksAfter('docs/recipes/webhooks.md', 'A status badge');
const [ofOneEntity, ofAll] = parse(block);

const backends = signedBackends();

/** Starts a backend with the badges plugin, a catalog that has every entity, and one rule. */
const start = (rule: { plugin: string; path: string }) =>
  backends.start({
    features: [
      badgesPlugin,
      recordingPlugin('catalog', {
        handle: (req, res) =>
          res.json({
            apiVersion: 'backstage.io/v1alpha1',
            kind: 'Component',
            metadata: { name: req.path.split('/').at(-1) },
            spec: {},
          }),
      }).feature,
    ],
    apiGate: { allow: [rule] },
  });

const badgeOf = (name: string) =>
  `/api/badges/entity/default/component/${name}/badge/pingback`;

it('the rule for one badge opens that one, and no other', async () => {
  const { get, statusOf } = await start(ofOneEntity);
  const { status, headers, body } = await get(badgeOf('website'));
  expect([status, headers['content-type']]).toEqual([
    200,
    expect.stringContaining('image/svg+xml'),
  ]);
  expect(body).toContain('<svg');
  expect(await statusOf(badgeOf('other'))).toBe(401);
});

it('the rule for all badges opens them, and nothing else of the plugin', async () => {
  const { statusOf } = await start(ofAll);
  expect(await statusOf(badgeOf('website'))).toBe(200);
  expect(await statusOf(badgeOf('other'))).toBe(200);
  const specs = '/api/badges/entity/default/component/website/badge-specs';
  expect(await statusOf(specs)).toBe(401);
});

it('[P120] the report names what the badges plugin opens', async () => {
  const expectScanned = recordDeclared();
  await start(ofAll);
  const declared = await expectScanned(
    '@backstage/plugin-auth-backend',
    '@backstage-community/plugin-badges-backend',
  );
  expect(declared.map(({ plugin, path }) => `${plugin} ${path}`)).toEqual([
    'auth /',
    'badges /entity/:entityUuid/:badgeId',
    'badges /entity/:namespace/:kind/:name/badge/:badgeId',
  ]);
});
