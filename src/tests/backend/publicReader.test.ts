import { createBackendModule } from '@backstage/backend-plugin-api';
import permissionPlugin from '@backstage/plugin-permission-backend';
import allowAllPolicy from '@backstage/plugin-permission-backend-module-allow-all-policy';
import {
  AuthorizeResult,
  isResourcePermission,
} from '@backstage/plugin-permission-common';
import { policyExtensionPoint } from '@backstage/plugin-permission-node/alpha';
import type { JsonObject } from '@backstage/types';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { merge } from 'lodash';
import { accessWith, staticToken } from '../../__testUtils__/externalAccess';
import { recordSpans } from '../../__testUtils__/recordSpans';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { bearer, cookie } from '../../__testUtils__/requestParts';
import {
  SignedBackend,
  SignedBackendOptions,
  signedBackends,
} from '../../__testUtils__/signedBackends';
import { isDelegationChecked, stock } from '../../__testUtils__/stockBackend';
import { temporaryFolder } from '../../__testUtils__/temporaryFolder';
import { until } from '../../__testUtils__/until';

const TOKEN = 'token-of-the-public-reader';
const RULE = {
  plugin: 'catalog',
  path: '/entities/by-query',
  as: 'public-reader',
};

/** The entry of `backend.auth.externalAccess` for the plugin of a rule. */
const entryFor = (plugin: string, changed: JsonObject = {}): JsonObject => ({
  ...staticToken(TOKEN, 'public-reader', {
    plugin,
    permissionAttribute: { action: ['read'] },
  }),
  ...changed,
});

const backends = signedBackends();
afterEach(backends.stopAll);

/** Answers the principal that `httpAuth` returns to a handler, with the names and values of all headers that it sees. */
const reader = (pluginId = 'hello') =>
  recordingPlugin(pluginId, {
    handle: async (req, res, { httpAuth }) => {
      const { principal } = await httpAuth.credentials(req);
      const { rawHeaders } = req;
      res.json({ principal, rawHeaders });
    },
  });

async function startHello({
  apiGate,
  config,
  features = [],
  ...options
}: SignedBackendOptions = {}) {
  const hello = reader();
  const backend = await backends.start({
    ...options,
    features: [hello.feature, ...features],
    apiGate: {
      allow: [
        { ...RULE, plugin: 'hello', path: '/read/*' },
        { plugin: 'hello', path: '/open', methods: ['GET', 'WEBSOCKET'] },
      ],
      ...apiGate,
    },
    config: merge(accessWith(entryFor('hello')), config),
  });
  return {
    ...backend,
    hello,
    /** Returns the type of the principal whose request the handler gets. */
    typeAt: async (target: string, ...headerLines: string[]) => {
      const { body } = await backend.get(target, ...headerLines);
      return JSON.parse(body).principal.type;
    },
  };
}

const describeIfChecked = isDelegationChecked ? describe : describe.skip;

describeIfChecked('a rule with `as`', () => {
  it('[P85] has the handler read as the subject, without a token in any header, log or answer', async () => {
    const { get, log } = await startHello();
    const { status, body, bytes } = await get('/api/hello/read/x');
    expect([status, JSON.parse(body).principal]).toEqual([
      200,
      {
        type: 'service',
        subject: 'public-reader',
        accessRestrictions: { permissionAttributes: { action: ['read'] } },
      },
    ]);
    for (const text of [bytes, JSON.stringify(log)]) {
      expect(text).not.toContain(TOKEN);
    }
  });

  it('[P85] does so for GET and HEAD of its paths alone', async () => {
    const { request, hello, typeAt } = await startHello();
    expect(await typeAt('/api/hello/open')).toBe('none');
    for (const [method, target, status] of [
      ['HEAD', '/api/hello/read/x', 200],
      ['POST', '/api/hello/read/x', 401],
      ['OPTIONS', '/api/hello/read/x', 401],
      ['GET', '/api/hello/read/x/y', 401],
      ['GET', '/api/hello/READ/x', 401],
      ['GET', '/api/hello//read/x', 401],
      ['GET', '/api/hello/read/x#', 401],
      ['GET', '/api/hello/read/%78', 401],
    ] as const) {
      hello.handled.length = 0;
      const answer = await request(method, target, []);
      expect([method, target, answer.status]).toEqual([method, target, status]);
      expect(hello.handled).toHaveLength(status === 200 ? 1 : 0);
    }
  });

  it('[P85] leaves a request with a credential to that one', async () => {
    const { sign, stockCookie, typeAt } = await startHello();
    const user = await sign();
    const target = '/api/hello/read/x';
    expect(await typeAt(target, bearer(user))).toBe('user');
    // No handler of a public path sees the gate's cookie, so that the page is the same to everybody.
    expect(await typeAt(target, cookie(user))).toBe('service');
    // Browsers have Backstage's own cookie after a look at TechDocs.
    const own = await stockCookie('hello', bearer(user));
    expect(await typeAt(target, `Cookie: ${own}`)).toBe('service');
    expect(await typeAt(target, 'Authorization: Basic YTpi')).toBe('none');
  });

  it('[P85] refuses every request that presents its token', async () => {
    const { get, hello, upgrade } = await startHello({
      apiGate: { credentialHeader: 'X-Backstage-Token' },
    });
    const lines = [
      bearer(TOKEN),
      `X-Backstage-Token: ${TOKEN}`,
      `authorization: BEARER  ${TOKEN}`,
    ];
    for (const target of [
      '/api/hello/read/x',
      '/api/hello/open',
      '/api/hello/other',
      '/api/absent/x',
      '/api/auth/.well-known/jwks.json',
    ]) {
      for (const line of lines) {
        const { status } = await get(target, line);
        expect([target, line, status]).toEqual([target, line, 403]);
      }
    }
    for (const target of ['/api/hello/open', '/api/hello/ws']) {
      const { status } = await upgrade(
        target,
        `Sec-WebSocket-Protocol: ${TOKEN}`,
      );
      expect([target, status]).toEqual([target, 403]);
    }
    expect(hello.handled).toEqual([]);
  });

  it('[P85] gives a handler of another plugin, and another server, nothing', async () => {
    const other = reader('other');
    const forwarding = recordingPlugin('forwarding', {
      handle: (req, res) => {
        req.url = '/api/other/x';
        req.baseUrl = '';
        req.app(req, res);
      },
    });
    const { get } = await startHello({
      features: [other.feature, forwarding.feature],
      apiGate: { allow: [{ ...RULE, plugin: 'forwarding', path: '/read' }] },
      config: accessWith(entryFor('forwarding')),
    });
    expect((await get('/api/forwarding/read')).status).toBe(401);
    expect(other.handled).toEqual([]);
  });

  it('[P85] keeps the credentials from other plugins, and the token from errors and spans', async () => {
    const spans = recordSpans();
    const failing = recordingPlugin('failing', {
      handle: async (req, _res, { auth, httpAuth }) => {
        const onBehalfOf = await httpAuth.credentials(req);
        const refused = await Promise.all(
          ['failing', 'other', 'catalog'].map(targetPluginId =>
            auth
              .getPluginRequestToken({ onBehalfOf, targetPluginId })
              .catch(error => error.name),
          ),
        );
        throw new Error(JSON.stringify([refused, onBehalfOf, req.headers]));
      },
    });
    const { get, log } = await startHello({
      features: [failing.feature],
      apiGate: { allow: [{ ...RULE, plugin: 'failing', path: '/read' }] },
      config: accessWith(entryFor('failing')),
    });
    const { status, body, bytes } = await get('/api/failing/read');
    const { message } = JSON.parse(body).error;
    expect([status, JSON.parse(message)[0]]).toEqual([
      500,
      ['NotAllowedError', 'NotAllowedError', 'NotAllowedError'],
    ]);
    const recorded = JSON.stringify([bytes, log, spans.take()]);
    spans.stop();
    expect(recorded).toContain('/api/failing');
    expect(recorded).not.toContain(TOKEN);
  });

  it('[P83][P85] reads nothing after the end of its token, and where only excludes it', async () => {
    const { change, typeAt } = await startHello();
    const read = async (limits: JsonObject) => {
      change({
        config: accessWith(entryFor('hello')),
        apiGate: {
          allow: [{ ...RULE, plugin: 'hello', path: '/read/*' }],
          tokens: [{ subject: 'public-reader', ...limits }],
        },
      });
      return typeAt('/api/hello/read/x');
    };
    expect(await read({ until: '2999-01-01' })).toBe('service');
    expect(await read({ until: '2020-01-01' })).toBe('none');
    expect(await read({ only: [{ plugin: 'hello', path: '/x' }] })).toBe(
      'none',
    );
    const only = [{ plugin: 'hello', path: '/read/**' }];
    expect(await read({ only })).toBe('service');
  });

  it('[P85] binds nothing in report-only', async () => {
    const reportOnly = await startHello({ apiGate: { mode: 'report-only' } });
    expect((await reportOnly.get('/api/hello/read/x')).status).toBe(401);
  });

  it('[P85] needs a restart where a reload adds it, and ends at once where one removes it', async () => {
    const config = accessWith(entryFor('hello'));
    const { change, hello, log, policy, typeAt } = await startHello();
    const plain = [{ plugin: 'hello', path: '/read/*' }];
    change({ config, apiGate: { allow: plain } });
    expect(await typeAt('/api/hello/read/x')).toBe('none');
    change({
      config,
      apiGate: { allow: [{ ...RULE, plugin: 'hello', path: '/new' }] },
    });
    expect(await typeAt('/api/hello/new')).toBe('none');
    expect(log.map(({ message }) => message)).toContain(
      'auth.apiGate.allow[0].as has changed, and takes effect after a restart',
    );
    const { needsRestart } = await policy(await hello.tokenFor('auth'));
    expect(needsRestart).toEqual(['auth.apiGate.allow[0].as']);
  });

  it('is in the record of use as that token', async () => {
    const { get, policy, hello } = await startHello();
    await get('/api/hello/read/x');
    const { usage } = await policy(await hello.tokenFor('auth'));
    expect(usage!.externalTokens).toMatchObject([
      { subject: 'public-reader', requests30d: 1, plugins: ['hello'] },
    ]);
  });

  it('is named in the policy', async () => {
    const { policy, hello } = await startHello();
    const { allow } = await policy(await hello.tokenFor('auth'));
    expect(allow[0]).toMatchObject({ as: 'public-reader' });
  });
});

const describeStock =
  isDelegationChecked && stock.catalog ? describe : describe.skip;

describeStock('a rule with `as` for the catalog', () => {
  const folder = temporaryFolder();

  /** Creates a policy that answers every question about a user or a service alike. */
  const policyOf = (decide: (request: any) => any) =>
    createBackendModule({
      pluginId: 'permission',
      moduleId: 'policy-of-this-test',
      register(reg) {
        reg.registerInit({
          deps: { policy: policyExtensionPoint },
          async init({ policy }) {
            policy.setPolicy({ handle: async request => decide(request) });
          },
        });
      },
    });
  const policies = {
    'allows all': allowAllPolicy,
    'denies all': policyOf(() => ({ result: AuthorizeResult.DENY })),
    'decides by conditions': policyOf(({ permission }) =>
      isResourcePermission(permission, 'catalog-entity')
        ? {
            result: AuthorizeResult.CONDITIONAL,
            pluginId: 'catalog',
            resourceType: 'catalog-entity',
            conditions: {
              rule: 'IS_ENTITY_KIND',
              resourceType: 'catalog-entity',
              params: { kinds: ['None'] },
            },
          }
        : { result: AuthorizeResult.DENY },
    ),
  };

  const readNames = async (backend: SignedBackend) => {
    const answer = await fetch(
      `${backend.url}/api/catalog/entities/by-query?filter=kind=component`,
    );
    const { items } = await answer.json();
    return items?.map(({ metadata }: any) => metadata.name) ?? answer.status;
  };

  it.each(Object.entries(policies))(
    '[P85] shows entities with permission.enabled and a policy that %s',
    async (_name, policy) => {
      const file = path.join(folder, 'entities.yaml');
      const entity = {
        apiVersion: 'backstage.io/v1alpha1',
        kind: 'Component',
        metadata: { name: 'example' },
        spec: { type: 'service', lifecycle: 'production', owner: 'x' },
      };
      writeFileSync(file, JSON.stringify(entity));
      const start = (rule: JsonObject) =>
        backends.start({
          features: [...stock.catalog!, permissionPlugin, policy],
          apiGate: { allow: [rule] },
          config: {
            ...accessWith(entryFor('catalog')),
            permission: { enabled: true },
            catalog: { locations: [{ type: 'file', target: file }] },
          },
        });
      const backend = await start(RULE);
      await until(async () => (await readNames(backend))[0] === 'example');
      const target = '/api/catalog/refresh';
      const denied = await backend.request('POST', target, [], '{}');
      expect(denied.status).toBe(401);
      await backends.stopAll();
      const { as: _as, ...without } = RULE;
      // The catalog asks for permission in the name of the caller.
      expect(await readNames(await start(without))).toBe(401);
    },
  );
});

describe('the start with `as`', () => {
  const start = (
    rule: JsonObject,
    entries: JsonObject[] = [entryFor('hello')],
    options: SignedBackendOptions = {},
  ) =>
    backends.start({
      ...options,
      features: [reader().feature, ...(options.features ?? [])],
      apiGate: { allow: [{ ...RULE, plugin: 'hello', ...rule }] },
      config: accessWith(...entries),
    });

  it.each<[string, JsonObject, JsonObject[] | undefined, string]>([
    [
      'a method that writes',
      { methods: ['GET', 'POST'] },
      undefined,
      '.methods must be GET or HEAD',
    ],
    ...[
      [{ plugin: 'hello' }],
      [{ plugin: 'hello', permission: 'x' }],
      [{ plugin: 'auth' }],
    ].map((accessRestrictions): [string, JsonObject, JsonObject[], string] => [
      `a token that another entry has for ${JSON.stringify(accessRestrictions)}`,
      {},
      [
        entryFor('hello', {
          options: { token: TOKEN, subject: 'other' },
          accessRestrictions,
        }),
        entryFor('hello'),
      ],
      'another entry of backend.auth.externalAccess has the same token',
    ]),
  ])('[P85] is refused for %s', async (_name, rule, entries, message) => {
    await expect(start(rule, entries)).rejects.toThrow(message);
  });

  it('[P85] is refused for a plugin that this backend does not have', async () => {
    await expect(
      start({ plugin: 'absent' }, [entryFor('absent')]),
    ).rejects.toThrow(
      'auth.apiGate.allow[0].as needs the plugin absent in this backend',
    );
  });

  it('[P85] is refused where handlers could call other plugins with the token', async () => {
    const outcome = await start({ path: '/read' }).then(
      () => 'started',
      error => error.message,
    );
    expect(outcome).toContain(
      isDelegationChecked ? 'started' : 'needs backend-defaults 0.17.8',
    );
  });
});
