import type { JsonObject } from '@backstage/types';
import proxyPlugin from '@backstage/plugin-proxy-backend';
import { generateKeyPair } from 'jose';
import { parse } from 'yaml';
import { codeBlocks } from '../../__testUtils__/documents';
import { accessWith, staticToken } from '../../__testUtils__/externalAccess';
import {
  createIssuer,
  legacyEntry,
  legacyToken,
} from '../../__testUtils__/externalIssuers';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { bearer } from '../../__testUtils__/requestParts';
import {
  SignedBackendOptions,
  signedBackends,
} from '../../__testUtils__/signedBackends';
import { isDelegationChecked } from '../../__testUtils__/stockBackend';

const PAGE = 'docs/recipes/clients.md';
const TOKEN = 'client-token-of-this-test';

const backends = signedBackends();
afterEach(backends.stopAll);

/** Reads the external token of a subject from the page. */
function readToken(subject: string): JsonObject & { options: JsonObject } {
  const { text } = codeBlocks('yaml').find(
    block => block.file === PAGE && block.text.includes(`subject: ${subject}`),
  )!;
  return parse(text).backend.auth.externalAccess[0];
}

const external = (token: string, ...restrictions: (string | JsonObject)[]) =>
  staticToken(token, token, ...restrictions);

/** Creates a plugin that calls the next of the plugins in the path for its caller, and answers as that one does. */
const calling = (pluginId: string) =>
  recordingPlugin(pluginId, {
    handle: async (req, res, { auth, httpAuth }) => {
      const [next, ...others] = req.path.split('/').filter(Boolean);
      if (!next) {
        res.json({});
        return;
      }
      const { token } = await auth.getPluginRequestToken({
        onBehalfOf: await httpAuth.credentials(req),
        targetPluginId: next,
      });
      const answer = await fetch(
        `http://localhost:${req.socket.localPort}/api/${[next, ...others].join('/')}`,
        { headers: req.query.bare ? {} : { Authorization: `Bearer ${token}` } },
      );
      res.status(answer.status).json(await answer.json());
    },
  });

const start = (
  externalAccess: JsonObject[],
  options: SignedBackendOptions = {},
) =>
  backends.start({
    features: ['catalog', 'other', 'third'].map(id => calling(id).feature),
    config: accessWith(...externalAccess),
    ...options,
  });

describe('docs/recipes/clients.md', () => {
  it('has a script whose token passes at the catalog alone, and that gets another one', async () => {
    const { options, ...entry } = readToken('catalog-script');
    const next = {
      options: { token: 'next-token-of-this-test', subject: 'next' },
      ...entry,
    };
    const backend = await start([
      { options: { ...options, token: TOKEN }, ...entry },
      next,
    ]);
    for (const token of [TOKEN, next.options.token]) {
      expect(await backend.statusOf('/api/catalog', bearer(token))).toBe(200);
    }
    expect(await backend.statusOf('/api/other', bearer(TOKEN))).toBe(403);
    expect(backend.logged('refused')).toMatchObject([
      { meta: { reason: 'restricted' } },
    ]);
    await backend.stop();
    const after = await start([next]);
    expect(await after.statusOf('/api/catalog', bearer(TOKEN))).toBe(401);
  });

  it('has the causes for which tokens of each type are refused', async () => {
    const { entry, sign } = await createIssuer(backends.serve);
    const backend = await start([
      external(TOKEN),
      entry({ audience: ['ci', 'backstage'] }),
      legacyEntry,
    ]);
    const other = await generateKeyPair('ES256');
    for (const token of [TOKEN, await legacyToken(), await sign()]) {
      expect(await backend.statusOf('/api/catalog', bearer(token))).toBe(200);
    }
    for (const token of [
      `${TOKEN}x`,
      await sign({ aud: 'another' }),
      // The audience of user tokens
      await sign({ aud: 'backstage' }),
      await sign({ iss: 'https://another.example.com' }),
      await sign({}, undefined, other.privateKey),
      await legacyToken(Buffer.alloc(32, 2)),
    ]) {
      expect(await backend.statusOf('/api/catalog', bearer(token))).toBe(401);
    }
    const reasons = backend
      .logged('API gate refused')
      .map(({ meta }: any) => meta.reason);
    expect(new Set(reasons)).toEqual(new Set(['invalid-token']));
  });

  it.each(['seven77', 'with-a-line-break\n'])(
    'has a static token that stops the start: %j',
    async token => {
      await expect(start([external(token)])).rejects.toThrow(
        /Illegal token, must be/,
      );
    },
  );

  it('has the text for such a token without the gate', async () => {
    const { get } = await start([external(TOKEN)], { withGate: false });
    const { status, body } = await get('/api/catalog', bearer(`${TOKEN}x`));
    expect([status, JSON.parse(body).error.message]).toEqual([
      401,
      'Illegal token',
    ]);
  });

  it('has the answers for a token whose restrictions lack what handlers call', async () => {
    const backend = await start([
      external('lacking-token', 'other'),
      external('narrowed-token', 'other', {
        plugin: 'catalog',
        permission: 'x',
      }),
      external('enough-token', 'other', 'catalog'),
    ]);
    const ask = async (token: string, target: string) => {
      const { status, body } = await backend.get(target, bearer(token));
      return [status, JSON.parse(body).error?.message];
    };
    expect(await ask('enough-token', '/api/other/catalog')).toEqual([
      200,
      undefined,
    ]);
    // The third plugin needs no entry.
    expect(await ask('enough-token', '/api/other/catalog/third')).toEqual([
      200,
      undefined,
    ]);
    const refused = isDelegationChecked
      ? [
          [
            403,
            "Access to target plugin 'catalog' is not included in token's access restrictions",
          ],
          [
            403,
            "Access to target plugin 'catalog' is restricted and cannot be delegated",
          ],
        ]
      : [
          [200, undefined],
          [200, undefined],
        ];
    expect([
      await ask('lacking-token', '/api/other/catalog'),
      await ask('narrowed-token', '/api/other/catalog'),
    ]).toEqual(refused);
    expect(backend.logged('API gate refused')).toEqual([]);
  });

  it('has calls between plugins, which need a token', async () => {
    const backend = await start([external(TOKEN)]);
    const statusOf = (target: string) =>
      backend.statusOf(target, bearer(TOKEN));
    expect(await statusOf('/api/other/catalog')).toBe(200);
    expect(await statusOf('/api/other/catalog?bare=1')).toBe(401);
  });

  it('has two ways for a token of another system', async () => {
    const received: (string | undefined)[][] = [];
    const port = await backends.serve((req, res) => {
      received.push([
        req.headers.authorization,
        req.headers['x-other-token'] as string,
      ]);
      res.end('{}');
    });
    const target = `http://localhost:${port}`;
    const backend = await backends.start({
      features: [proxyPlugin],
      config: {
        ...accessWith(external(TOKEN)),
        proxy: {
          endpoints: {
            '/adds': { target, headers: { Authorization: 'Bearer of-server' } },
            '/allows': { target, allowedHeaders: ['X-Other-Token'] },
            '/forwards': { target, allowedHeaders: ['Authorization'] },
          },
        },
      },
    });
    const ask = (path: string, ...lines: string[]) =>
      backend.statusOf(`/api/proxy${path}`, ...lines);
    expect(await ask('/forwards', bearer('of-another-system'))).toBe(401);
    expect(await ask('/forwards', 'Authorization: Basic eDp5')).toBe(401);
    expect(
      backend.logged('API gate refused').map(({ meta }: any) => meta.reason),
    ).toEqual(['invalid-token', 'unsupported-scheme']);
    expect(await ask('/adds', bearer(TOKEN))).toBe(200);
    expect(await ask('/allows', bearer(TOKEN), 'X-Other-Token: theirs')).toBe(
      200,
    );
    expect(received).toEqual([
      ['Bearer of-server', undefined],
      [undefined, 'theirs'],
    ]);
  });
});
