import type { BackendFeature } from '@backstage/backend-plugin-api';
import gatewayPlugin from '@backstage/plugin-gateway-backend';
import type { JsonObject } from '@backstage/types';
import { merge } from 'lodash';
import { parse } from 'yaml';
import { blocksAfter, readDocument } from '../__testUtils__/documents';
import { latch, slowModule } from '../__testUtils__/latch';
import { rawRequest } from '../__testUtils__/rawRequest';
import { openPlugin, recordingPlugin } from '../__testUtils__/recordingPlugin';
import {
  bearer,
  cookie,
  COOKIE_ENDPOINT,
  REVOCATIONS,
  SAME_ORIGIN,
} from '../__testUtils__/requestParts';
import {
  SignedBackendOptions,
  signedBackends,
} from '../__testUtils__/signedBackends';
import { freePort } from '../__testUtils__/freePort';
import { withSubject } from '../__testUtils__/withSubject';
import { until } from '../__testUtils__/until';

// `integration/processes/split/run` checks all callers, and the cases that need several processes.

jest.mock('../../store/revocations/pollInterval', () => ({
  POLL_INTERVAL_MS: 200,
}));

const backends = signedBackends();
afterEach(backends.stopAll);

const addressOf = (port: number) => `http://localhost:${port}/api/{{pluginId}}`;

/** Reserves ports for backends that share one public address, that of the first, and find each other by discovery. */
async function reserve() {
  const [port, otherPort] = [await freePort(), await freePort()];
  const publicUrl = `http://localhost:${port}`;
  const start = async (
    at: number,
    endpoints: JsonObject[],
    options: SignedBackendOptions,
  ) =>
    backends.start({
      ...options,
      port: at,
      config: merge(
        {
          backend: { baseUrl: publicUrl },
          discovery: { endpoints },
        },
        options.config,
      ),
    });
  const hello = openPlugin('hello', {
    handle: (_req, res) => {
      res.set('Cache-Control', 'max-age=60').json({});
    },
  });
  return {
    port,
    otherPort,
    publicUrl,
    start,
    hello,
    sign: (claims: object = {}) =>
      backends.key.sign({ iss: `${publicUrl}/api/auth`, ...claims }),
    send: (method: string, target: string, ...headerLines: string[]) =>
      rawRequest(port, target, { method, headerLines }),
  };
}

/** Starts a gateway in the backend with `auth`, and `hello` and `techdocs` behind it. */
async function startGatewayWithAuth(options: { gateBehind?: boolean } = {}) {
  const split = await reserve();
  const { port, otherPort, start, hello } = split;
  const plugins = ['hello', 'techdocs'];
  const techdocs = recordingPlugin('techdocs', {
    policies: [{ path: '/static', allow: 'user-cookie' }],
  });
  const first = await start(
    port,
    [{ target: { internal: addressOf(otherPort) }, plugins }],
    { features: [gatewayPlugin] },
  );
  const second = await start(
    otherPort,
    [{ target: { internal: addressOf(port) }, plugins: ['auth'] }],
    {
      withAuth: false,
      withGate: options.gateBehind,
      features: [hello.feature, techdocs.feature],
    },
  );
  const line = bearer(await split.sign());
  await until(
    async () => (await second.statusOf('/api/hello/x', line)) === 200,
  );
  hello.handled.length = 0;
  return { ...split, first, second, techdocs };
}

/** Starts a gateway alone, and all other plugins at one address. */
async function startGatewayAlone(features: BackendFeature[] = []) {
  const split = await reserve();
  const { port, otherPort, start, hello } = split;
  const behind = await start(
    otherPort,
    [{ target: { internal: addressOf(port) }, plugins: ['gateway'] }],
    {
      features: [hello.feature],
      config: { auth: { apiGate: { signOut: { providers: ['guest'] } } } },
    },
  );
  const startGateway = () =>
    start(
      port,
      [
        { target: { internal: addressOf(otherPort) }, plugins: ['*'] },
        { target: { internal: addressOf(port) }, plugins: ['gateway'] },
      ],
      { withAuth: false, features: [gatewayPlugin, ...features] },
    );
  return { ...split, behind, startGateway };
}

describe('a backend without the auth plugin', () => {
  it('logs once at the start where that plugin is', async () => {
    const { first, second, port } = await startGatewayWithAuth();
    expect(first.logged('auth plugin is not')).toEqual([]);
    expect(second.logged('auth plugin is not')).toEqual([
      {
        level: 'info',
        message: `API gate: the auth plugin is not installed in this backend. Discovery has it at http://localhost:${port}/api/auth: from there come the keys of users, and the sessions that have ended`,
        meta: undefined,
      },
    ]);
  });
});

describe('the configuration of docs/split-backends.md', () => {
  const PAGE = 'docs/split-backends.md';
  const [ofFirst, ofSecond] = blocksAfter(PAGE, 'Configure discovery');

  /** Starts the two backends of the page, at addresses of this machine. */
  async function startBoth(change = (yaml: string) => yaml) {
    const ports = { first: await freePort(), second: await freePort() };
    const publicUrl = `http://localhost:${ports.first}`;
    const configOf = (yaml: string) =>
      parse(
        change(yaml)
          .replaceAll('https://backstage.example.com', publicUrl)
          .replace(
            /(first|second)\.internal:7007/,
            (_, name: 'first' | 'second') => `127.0.0.1:${ports[name]}`,
          ),
      );
    const plugins = {
      catalog: recordingPlugin('catalog'),
      search: recordingPlugin('search'),
      techdocs: recordingPlugin('techdocs'),
    };
    // The inner address is another one than the public one, as on the page.
    const listenAt = (port: number) => ({
      backend: { listen: { host: '127.0.0.1', port } },
    });
    const first = await backends.start({
      port: ports.first,
      config: merge(configOf(ofFirst), listenAt(ports.first)),
      features: [gatewayPlugin, plugins.catalog.feature],
    });
    const second = await backends.start({
      port: ports.second,
      withAuth: false,
      config: merge(configOf(ofSecond), listenAt(ports.second)),
      features: [plugins.search.feature, plugins.techdocs.feature],
    });
    const token = await first.guest();
    const statusAtSecond = () =>
      second.statusOf('/api/search/x', bearer(token));
    await until(async () => (await statusAtSecond()) !== 503);
    return { first, second, plugins, token, statusAtSecond };
  }

  it('serves users at one address, verifies service tokens both ways, and ends a session in both', async () => {
    const { first, second, plugins, token, statusAtSecond } = await startBoth();
    for (const id of Object.keys(plugins)) {
      const target = `/api/${id}/x`;
      expect(await first.statusOf(target)).toBe(401);
      expect(await first.statusOf(target, bearer(token))).toBe(200);
    }
    const there = bearer(await plugins.catalog.tokenFor('search'));
    expect(await second.statusOf('/api/search/x', there)).toBe(200);
    const back = bearer(await plugins.techdocs.tokenFor('catalog'));
    expect(await first.statusOf('/api/catalog/x', back)).toBe(200);

    await first.request('DELETE', `/api/catalog${COOKIE_ENDPOINT}`, [
      bearer(token),
    ]);
    await until(async () => (await statusAtSecond()) === 401);
  });

  it('refuses every user with the reason of the page where `target` is plain text', async () => {
    const { second, statusAtSecond } = await startBoth(yaml =>
      yaml.replace(/\{ internal: ('http:\/\/first\S+') \}/, '$1'),
    );
    expect(await statusAtSecond()).toBe(401);
    const [, reason] = readDocument(PAGE).text.match(
      /every user token fails with `([^`]+)`/,
    )!;
    expect(
      second.log.filter(({ meta }) => (meta as any)?.reason === reason),
    ).not.toEqual([]);
  });
});

describe('behind a gateway', () => {
  it('[P48] the gate issues no cookie, as the one in front does', async () => {
    const { send, sign, hello } = await startGatewayWithAuth();
    const token = await sign();
    const line = `Cookie: other=1; token=${token}`;
    const fresh = await send('GET', '/api/hello/x', bearer(token));
    expect(fresh.status).toBe(200);
    expect(fresh.headers['set-cookie']?.split('\n')).toEqual([
      expect.stringMatching(new RegExp(`^token=${token};`)),
    ]);
    for (const [cacheControl, ...headerLines] of [
      ['private, max-age=60', line],
      ['max-age=60', bearer(token), line],
    ]) {
      const { status, headers } = await send(
        'GET',
        '/api/hello/x',
        ...headerLines,
      );
      expect(status).toBe(200);
      expect(headers['set-cookie']).toBeUndefined();
      expect(headers['cache-control']).toBe(cacheControl);
    }
    expect(hello.handled.map(({ headers }) => headers.cookie)).toEqual([
      undefined,
      'other=1',
      'other=1',
    ]);
    expect(
      new Set(hello.handled.map(({ headers }) => headers.authorization)),
    ).toEqual(new Set([`Bearer ${token}`]));
  });

  it.each([
    ['another gate', true],
    ['no gate', false],
  ])(
    'and in front of %s, a sign-out ends the session, and takes the cookie back',
    async (_, gateBehind) => {
      const { send, sign, hello } = await startGatewayWithAuth({ gateBehind });
      const endpoint = `/api/hello${COOKIE_ENDPOINT}`;
      expect((await send('DELETE', endpoint)).status).toBe(204);
      const line = cookie(await sign());
      const crossSite = 'Sec-Fetch-Site: cross-site';
      const fromElsewhere = await send('DELETE', endpoint, line, crossSite);
      expect(fromElsewhere.status).toBe(403);
      const signedOut = await send('DELETE', endpoint, line, SAME_ORIGIN);
      const { status, headers } = signedOut;
      expect(status).toBe(204);
      expect(headers['set-cookie']).toMatch(
        /^token=; .*Expires=Thu, 01 Jan 1970/m,
      );
      // The answer is that of the handler behind the gateway.
      expect(headers['set-cookie']).toMatch(/^backstage-auth=;/m);
      expect(headers['cache-control']).toBe('no-store');
      expect((await send('GET', '/api/hello/x', line)).status).toBe(401);
      expect(hello.handled).toHaveLength(0);
    },
  );

  it('a service token of no plugin is 401, also where the gateway has no address for it', async () => {
    const { hello, send } = await startGatewayWithAuth();
    const token = withSubject(await hello.tokenFor('auth'), 'nosuchplugin');
    const { status } = await send('GET', REVOCATIONS, bearer(token));
    expect(status).toBe(401);
  });

  it("TechDocs reads by Backstage's own cookie", async () => {
    const { send, sign, second, techdocs } = await startGatewayWithAuth();
    const token = await sign();
    const stock = await second.stockCookie('techdocs', bearer(token));
    const statusOf = async (method: string, target: string) =>
      (await send(method, target, `Cookie: ${stock}`)).status;
    expect(await statusOf('GET', '/api/techdocs/static/x.png')).toBe(200);
    expect(await statusOf('POST', '/api/techdocs/static/x.png')).toBe(401);
    expect(await statusOf('GET', '/api/techdocs/x')).toBe(401);
    expect(await statusOf('GET', '/api/hello/static/x.png')).toBe(401);
    expect(techdocs.handled).toHaveLength(1);
  });

  it('a request waits until the gateway is up', async () => {
    const { open, opened } = latch();
    const { startGateway, send, sign } = await startGatewayAlone([
      slowModule('gateway', opened),
    ]);
    const starting = startGateway();
    const line = bearer(await sign());
    const answer = () => send('GET', '/api/hello/x', line);
    // The test runs before a plugin has registered, and before the list of revoked sessions has arrived.
    await until(async () => {
      const early = await Promise.race([
        answer().then(
          ({ status }) => status,
          () => 0,
        ),
        new Promise(resolve => setTimeout(() => resolve('waits'), 300)),
      ]);
      expect(early).not.toBe(404);
      return early === 'waits';
    });
    const late = answer();
    open();
    await starting;
    expect([200, 503]).toContain((await late).status);
    await until(async () => (await answer()).status === 200);
  });

  it('a logout at auth is a sign-out, and the cookie gets there', async () => {
    const { startGateway, behind, send, sign } = await startGatewayAlone();
    await startGateway();
    const line = cookie(await sign());
    await until(
      async () => (await send('GET', '/api/hello/x', line)).status === 200,
    );
    const logout = '/api/auth/guest/logout';
    const { headers } = await send('POST', logout, line, SAME_ORIGIN);
    expect(headers['set-cookie']).toMatch(
      /^token=; .*Expires=Thu, 01 Jan 1970/m,
    );
    expect(await behind.statusOf('/api/hello/x', line)).toBe(401);
  });
});
