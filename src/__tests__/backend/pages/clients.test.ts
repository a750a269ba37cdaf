import type { JsonObject } from '@backstage/types';
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

const PAGE = 'docs/recipes/clients.md';
const TOKEN = 'client-token-of-this-test';

const backends = signedBackends();
afterEach(backends.stopAll);

/** Returns the examples of the page that name a subject, in their order. */
const examplesOf = (subject: string) =>
  codeBlocks('yaml')
    .filter(({ file, text }) => file === PAGE && text.includes(subject))
    .map(({ text }) => parse(text));

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
  it('[P116] has a rotation in which both tokens have the limits of their subject', async () => {
    const [, rotation, limited] = examplesOf('catalog-script');
    const tokens = ['former-token-of-this-test', 'next-token-of-this-test'];
    const entries = rotation.backend.auth.externalAccess.map(
      ({ options, ...entry }: any, i: number) => ({
        ...entry,
        options: { ...options, token: tokens[i] },
      }),
    );
    const { apiGate } = limited.auth;
    const features = [recordingPlugin('catalog').feature];
    const statusesOf = async (
      { statusOf }: Awaited<ReturnType<typeof start>>,
      path: string,
    ) => [
      await statusOf(`/api/catalog${path}`, bearer(tokens[0])),
      await statusOf(`/api/catalog${path}`, bearer(tokens[1])),
    ];
    const both = await start(entries, { apiGate, features });
    expect(await statusesOf(both, '/entities/by-query')).toEqual([200, 200]);
    expect(await statusesOf(both, '/locations')).toEqual([403, 403]);
    expect(both.logged('refused')).toMatchObject([
      { meta: { detail: 'only', subject: 'catalog-script' } },
    ]);
    await both.stop();
    const after = await start(entries.slice(1), { apiGate, features });
    expect(await statusesOf(after, '/entities/by-query')).toEqual([401, 200]);
    expect(await statusesOf(after, '/locations')).toEqual([401, 403]);
  });

  it('[P116] has an issuer of which only the listed subjects call', async () => {
    const [{ auth, backend: settings }] = examplesOf('subjectPrefix: entra');
    const { entry, sign } = await createIssuer(backends.serve);
    const { subjectPrefix } = settings.auth.externalAccess[0].options;
    const backend = await start([entry({ audience: 'ci', subjectPrefix })], {
      apiGate: auth.apiGate,
      features: [recordingPlugin('catalog').feature],
    });
    const statusesOf = async (sub: string) => {
      const token = bearer(await sign({ sub }));
      const refresh = '/api/catalog/refresh';
      return [
        await backend.statusOf('/api/catalog/entities/by-query', token),
        (await backend.request('POST', refresh, [token])).status,
        await backend.statusOf('/api/catalog/x', token),
      ];
    };
    expect(await statusesOf('any')).toEqual([200, 403, 403]);
    expect(await statusesOf('4f9c')).toEqual([200, 200, 403]);
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
});
