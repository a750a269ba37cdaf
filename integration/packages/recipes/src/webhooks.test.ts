import { createHmac } from 'node:crypto';
import { createBackendModule } from '@backstage/backend-plugin-api';
import type { BackendFeature } from '@backstage/backend-plugin-api';
import eventsPlugin from '@backstage/plugin-events-backend';
import azureDevOps from '@backstage/plugin-events-backend-module-azure';
import bitbucketCloud from '@backstage/plugin-events-backend-module-bitbucket-cloud';
import github from '@backstage/plugin-events-backend-module-github';
import gitlab from '@backstage/plugin-events-backend-module-gitlab';
import { eventsServiceRef } from '@backstage/plugin-events-node';
import { eventsExtensionPoint } from '@backstage/plugin-events-node/alpha';
import type { JsonArray, JsonObject } from '@backstage/types';
import { merge, set } from 'lodash';
import { parse } from 'yaml';
import {
  blocksAfter,
  codeIn,
  tableRows,
} from '../../../../src/__tests__/__testUtils__/documents';
import { recordDeclared } from '../../../../src/__tests__/__testUtils__/expectScanned';
import { factsOf } from '../../../../src/__tests__/__testUtils__/factsOf';
import { recordingPlugin } from '../../../../src/__tests__/__testUtils__/recordingPlugin';
import { JSON_TYPE } from '../../../../src/__tests__/__testUtils__/requestParts';
import { signedBackends } from '../../../../src/__tests__/__testUtils__/signedBackends';

const PAGE = 'docs/recipes/webhooks.md';
const SECRET = 'the-secret-of-a-test';
const BODY = JSON.stringify({ zen: 'Keep it logically awesome.' });

const [secretOfGitHub] = blocksAfter(PAGE, '1. Set the secret first');
const [ruleOfGitHub] = blocksAfter(PAGE, '2. Write the rule');
const sources = tableRows(PAGE, ['Source', 'Path', 'What checks the sender']);

const backends = signedBackends();

/** Starts a backend with the events plugin and modules, and collects what they publish. */
async function start(options: {
  modules: BackendFeature[];
  allow: JsonArray;
  config?: JsonObject;
}) {
  const published: string[] = [];
  const subscriber = createBackendModule({
    pluginId: 'events',
    moduleId: 'subscriber',
    register(reg) {
      reg.registerInit({
        deps: { events: eventsServiceRef },
        init: ({ events }) =>
          events.subscribe({
            id: 'subscriber',
            topics: sources.map(([, path]) => path.match(/(\w+)>?`/)![1]),
            onEvent: async ({ topic }) => void published.push(topic),
          }),
      });
    },
  });
  const backend = await backends.start({
    features: [eventsPlugin, subscriber, ...options.modules],
    // Otherwise subscribers wait for events in requests that keep a backend from stopping.
    config: merge({ events: { useEventBus: 'never' } }, options.config),
    apiGate: { allow: options.allow },
  });
  return {
    published,
    /** Sends an event, without any credential of Backstage. */
    async deliver(path: string, ...headerLines: string[]): Promise<number> {
      const { status } = await backend.request(
        'POST',
        `/api/events${path}`,
        headerLines.some(line => line.startsWith('Content-Type'))
          ? headerLines
          : [JSON_TYPE, ...headerLines],
        BODY,
      );
      return status;
    },
    statusOf: backend.statusOf,
  };
}

/** Returns the headers of a delivery as GitHub sends them. */
const fromGitHub = (secret: string) => [
  'User-Agent: GitHub-Hookshot/044aadd',
  'X-GitHub-Event: ping',
  'X-GitHub-Delivery: 72d3162e-cc78-11e3-81ab-4c9367dc0958',
  ...['sha1', 'sha256'].map(
    algorithm =>
      `X-Hub-Signature${algorithm === 'sha1' ? '' : '-256'}: ${algorithm}=${createHmac(algorithm, secret).update(BODY).digest('hex')}`,
  ),
];

const configOfGitHub: JsonObject = parse(
  // eslint-disable-next-line no-template-curly-in-string
  secretOfGitHub.replace('${GITHUB_WEBHOOK_SECRET}', SECRET),
);

describe("GitHub's webhook", () => {
  const withSecret = { modules: [github], config: configOfGitHub };

  it('is refused until a rule names it', async () => {
    const { deliver, published } = await start({ ...withSecret, allow: [] });
    expect(await deliver('/http/github', ...fromGitHub(SECRET))).toBe(401);
    expect(published).toEqual([]);
  });

  it('passes with a signature that the module accepts, and with no other', async () => {
    const { deliver, published, statusOf } = await start({
      ...withSecret,
      allow: parse(ruleOfGitHub),
    });
    expect(await deliver('/http/github', ...fromGitHub('a guess'))).toBe(403);
    expect(await deliver('/http/github')).toBe(403);
    expect(await statusOf('/api/events/http/github')).toBe(401);
    expect(await deliver('/http/gitlab', ...fromGitHub(SECRET))).toBe(401);
    expect(published).toEqual([]);
    expect(await deliver('/http/github', ...fromGitHub(SECRET))).toBe(202);
    expect(published).toEqual(['github']);
  });

  it('needs the content type that the page names', async () => {
    const { deliver } = await start({
      ...withSecret,
      allow: parse(ruleOfGitHub),
    });
    const form = 'Content-Type: application/x-www-form-urlencoded';
    expect(await deliver('/http/github', form, ...fromGitHub(SECRET))).toBe(
      415,
    );
  });

  it('stops the start without a secret', async () => {
    await expect(
      start({ modules: [github], allow: parse(ruleOfGitHub) }),
    ).rejects.toThrow('auth.apiGate.allow[0] opens the webhook of github');
  });
});

describe('a row of the table of sources', () => {
  const own = createBackendModule({
    pluginId: 'events',
    moduleId: 'own',
    register(reg) {
      reg.registerInit({
        deps: { events: eventsExtensionPoint },
        async init({ events }) {
          events.addHttpPostIngress({
            topic: 'own',
            validator: async ({ headers }, context) => {
              if (headers['x-own'] !== SECRET) {
                context.reject();
              }
            },
          });
        },
      });
    },
  });
  const modules: Record<
    string,
    { module: BackendFeature; valid: string[]; config?: JsonObject }
  > = {
    GitHub: { module: github, valid: fromGitHub(SECRET) },
    GitLab: { module: gitlab, valid: [`X-Gitlab-Token: ${SECRET}`] },
    'Azure DevOps': {
      module: azureDevOps,
      valid: [`X-Ado-Webhook-Secret: ${SECRET}`],
    },
    'a topic of yours': { module: own, valid: [`X-Own: ${SECRET}`] },
    'Bitbucket Cloud': {
      module: bitbucketCloud,
      valid: [],
      config: { events: { http: { topics: ['bitbucketCloud'] } } },
    },
  };

  it('is known here', () =>
    expect(sources.map(([source]) => source).sort()).toEqual(
      Object.keys(modules).sort(),
    ));

  it.each(sources)(
    '%s: %s is checked by %s',
    async (source, pathCell, check) => {
      const path = codeIn(pathCell)[0].replace('<topic>', 'own');
      const { module, valid, config } = modules[source];
      const setting = codeIn(check).find(code => code.endsWith('Secret'));
      const { deliver } = await start({
        modules: [module],
        config: merge({}, config, setting && set({}, setting, SECRET)),
        allow: [{ plugin: 'events', path, methods: ['POST'] }],
      });
      expect(await deliver(path, ...valid)).toBe(202);
      expect(await deliver(path)).toBe(check.startsWith('nothing') ? 202 : 403);
    },
  );
});

it('the report has the path of a webhook of another plugin, and the rule of the page opens that path for POST alone', async () => {
  const [rule] = blocksAfter(PAGE, 'Plugins with a webhook of their own');
  const pagerduty = recordingPlugin('pagerduty', {
    policies: [{ path: '/webhook', allow: 'unauthenticated' }],
  });
  const caller = recordingPlugin('caller');
  const webhook = '/api/pagerduty/webhook';
  const backend = await backends.start({
    features: [pagerduty.feature, caller.feature],
  });
  expect((await backend.request('POST', webhook)).status).toBe(401);
  const report = await backend.policy(await caller.tokenFor('auth'));
  const [narrow] = parse(rule);
  expect(
    factsOf(report, 'declared open').find(({ what }) =>
      what.includes(`/api/pagerduty${narrow.path}`),
    ),
  ).toMatchObject({
    who: 'everybody',
    note: 'closed by the gate, except for what rules name',
  });

  backend.change({ apiGate: { allow: [narrow] } });
  expect((await backend.request('POST', webhook)).status).toBe(200);
  expect(await backend.statusOf(webhook)).toBe(401);
  expect((await backend.request('POST', `${webhook}/x`)).status).toBe(401);
});

it('[P120] the report names what the events plugin and its modules open', async () => {
  const expectScanned = recordDeclared();
  await start({
    modules: [azureDevOps, bitbucketCloud, github, gitlab],
    config: configOfGitHub,
    allow: [],
  });
  const modules = ['azure', 'bitbucket-cloud', 'github', 'gitlab'];
  const declared = await expectScanned(
    '@backstage/plugin-auth-backend',
    '@backstage/plugin-events-backend',
    ...modules.map(id => `@backstage/plugin-events-backend-module-${id}`),
  );
  expect(declared.map(({ plugin, path }) => `${plugin} ${path}`)).toEqual([
    'auth /',
    'events /http',
  ]);
});
