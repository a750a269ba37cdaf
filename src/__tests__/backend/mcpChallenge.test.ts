import {
  coreServices,
  createBackendPlugin,
} from '@backstage/backend-plugin-api';
import { actionsRegistryServiceRef } from '@backstage/backend-plugin-api/alpha';
import type { JsonObject } from '@backstage/types';
import { connectMcpClient, oauthConfig } from '../__testUtils__/oauthClients';
import { bearer } from '../__testUtils__/requestParts';
import {
  SignedBackend,
  SignedBackendOptions,
  signedBackends,
} from '../__testUtils__/signedBackends';

// Goes in October 2027: plugins of releases before November 2026 differ, or are not installed. Their folders have no mcp-actions;
// the main install's is not for them.
const { API_GATE_TEST_RELEASE: release = '2026-11' } = process.env;
const describeMcp = release >= '2026-11' ? describe : describe.skip;

const backends = signedBackends();
afterEach(backends.stopAll);

/** A plugin with an action that returns its caller. */
const greeter = createBackendPlugin({
  pluginId: 'greeter',
  register(reg) {
    reg.registerInit({
      deps: { actions: actionsRegistryServiceRef, auth: coreServices.auth },
      async init({ actions, auth }) {
        actions.register({
          name: 'greet',
          title: 'Greet',
          description: 'Greets the caller',
          schema: {
            input: z => z.object({}),
            output: z => z.object({ greeted: z.string() }),
          },
          action: async ({ credentials }) => ({
            output: {
              greeted: auth.isPrincipal(credentials, 'user')
                ? credentials.principal.userEntityRef
                : 'nobody',
            },
          }),
        });
      },
    });
  },
});

async function start(
  options: SignedBackendOptions & { auth?: JsonObject; baseUrl?: string } = {},
) {
  const { auth = oauthConfig('mcp-client'), baseUrl, ...others } = options;
  const backend = await backends.start({
    ...others,
    features: [
      // The package is loaded only if its tests run, so the file has no import of it.
      jest.requireActual('@backstage/plugin-mcp-actions-backend').default,
      greeter,
    ],
    config: {
      backend: {
        actions: { pluginSources: ['greeter'] },
        ...(baseUrl && { baseUrl }),
      },
      mcpActions: { servers: { named: { name: 'Named' } } },
      auth,
    },
  });
  return {
    ...backend,
    baseUrl: baseUrl ?? backend.url,
    challenge: async (target: string, ...headerLines: string[]) => {
      const answer = await backend.request('POST', target, headerLines);
      return [answer.status, answer.headers['www-authenticate']];
    },
  };
}

const MCP = '/api/mcp-actions/v1';
const WELL_KNOWN = '/.well-known/oauth-protected-resource/api/mcp-actions/v1';
const PLAIN = 'Bearer realm="Backstage"';
const PLAIN_INVALID = 'Bearer realm="Backstage", error="invalid_token"';
const POST_TYPES = 'Accept: application/json, text/event-stream';

describeMcp('[P23] the 401 of the plugin mcp-actions', () => {
  it('names the metadata of the server that was asked for', async () => {
    const backend = await start();
    for (const [path, suffix] of [
      [MCP, ''],
      [`${MCP}/`, ''],
      [`${MCP}/named`, '/named'],
      [`${MCP}/named/?x=1`, '/named'],
    ]) {
      const url = `${backend.url}${WELL_KNOWN}${suffix}`;
      expect(await backend.challenge(path)).toEqual([
        401,
        `${PLAIN}, resource_metadata="${url}"`,
      ]);
      const metadata = await (await fetch(url)).json();
      expect(metadata.resource).toBe(`${backend.url}${MCP}${suffix}`);
    }
    expect(await backend.challenge(MCP, bearer('x'))).toEqual([
      401,
      `${PLAIN_INVALID}, resource_metadata="${backend.url}${WELL_KNOWN}"`,
    ]);
  });

  it('does not depend on the host headers of a request', async () => {
    const backend = await start();
    const expected = await backend.challenge(MCP);
    for (const headerLines of [
      ['X-Forwarded-Host: evil.example.com', 'X-Forwarded-Proto: https'],
      ['Forwarded: host=evil.example.com;proto=https'],
      ['X-Forwarded-Prefix: /evil'],
    ]) {
      expect(await backend.challenge(MCP, ...headerLines)).toEqual(expected);
    }
    const target = `http://evil.example.com${MCP}`;
    expect(await backend.challenge(target, 'X-Host: evil.example.com')).toEqual(
      expected,
    );
  });

  it('is plain for an unknown server, another path and another plugin', async () => {
    const backend = await start();
    for (const path of [
      ...[`${MCP}/unknown`, `${MCP}/NAMED`, `${MCP}/named/x`],
      ...[`${MCP}/__proto__`, `${MCP}/constructor`, '/api/mcp-actions'],
      ...['/api/mcp-actions/v2', '/api/mcp-actions/v1%2fnamed'],
      ...['/api/greeter/v1', '/api/nosuchplugin/v1'],
    ]) {
      expect([path, ...(await backend.challenge(path))]).toEqual([
        path,
        401,
        PLAIN,
      ]);
    }
  });
});

describeMcp('the client of the MCP SDK', () => {
  async function signInAndGreet(backend: SignedBackend & { baseUrl: string }) {
    const { client, tokens } = await connectMcpClient(
      `${backend.baseUrl}${MCP}`,
      {
        authUrl: `${backend.baseUrl}/api/auth`,
        clientId: 'mcp-client',
        userToken: await backend.guest(),
      },
    );
    const { tools } = await client.listTools();
    const { structuredContent, content } = await client.callTool({
      name: tools[0].name,
      arguments: {},
    });
    await client.close();
    return {
      answer: JSON.stringify([structuredContent, content]),
      tokens: tokens(),
    };
  }

  it('signs in and calls a tool', async () => {
    const backend = await start();
    const { answer, tokens } = await signInAndGreet(backend);
    expect(answer).toContain('user:development/guest');
    expect(tokens?.refresh_token).toBeDefined();
    const { status } = await backend.request('POST', MCP, [
      bearer(tokens!.access_token),
      POST_TYPES,
    ]);
    expect(status).not.toBe(401);
  });
});
