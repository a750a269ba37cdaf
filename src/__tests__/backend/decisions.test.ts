import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import type { JsonObject } from '@backstage/types';
import { staticToken } from '../__testUtils__/externalAccess';
import type { RawResponse } from '../__testUtils__/rawRequest';
import { denialsIn, recordingAuditor } from '../__testUtils__/recordingAuditor';
import { openPlugin, recordingPlugin } from '../__testUtils__/recordingPlugin';
import { bearer, cookie, forge, from } from '../__testUtils__/requestParts';
import {
  SignedBackendOptions,
  signedBackends,
} from '../__testUtils__/signedBackends';
import { until } from '../__testUtils__/until';
import { webSocketPlugin } from '../__testUtils__/webSocketPlugin';

const HEADER = 'api-gate-decision';
const ID = /^[0-9a-f]{16}$/;
const EXTERNAL = 'a-static-token-of-a-ci-server';
const EVIL = from('https://evil.example');

const backends = signedBackends();
afterEach(() => jest.restoreAllMocks());
afterEach(backends.stopAll);

async function start(options: SignedBackendOptions = {}) {
  const audit: object[] = [];
  const backend = await backends.start({
    apiGate: options.apiGate,
    features: [
      openPlugin('hello').feature,
      recordingPlugin('other').feature,
      recordingAuditor(audit),
      ...(options.features ?? []),
    ],
    config: {
      backend: {
        auth: { externalAccess: [staticToken(EXTERNAL, 'ci', 'other')] },
        ...(options.config?.backend as JsonObject),
      },
      auth: { providers: { 'signs-in': { signIn: {} } } },
    },
  });
  return {
    ...backend,
    /** Denials of the audit. */
    denials: () => denialsIn(audit),
    linesWith: (id: unknown) =>
      backend.log
        .map(({ message, meta }) => ({ message, meta: meta as any }))
        .filter(({ meta }) => meta?.decision === id),
  };
}

type Answer = Pick<RawResponse, 'status' | 'headers'>;

const idOf = ({ headers }: Answer): string => headers[HEADER]!;

describe('[P38] a refusal', () => {
  it('has an id that its answer, the audit and the line of the first of its kind share, whatever its status', async () => {
    const { denials, get, linesWith, sign, upgrade } = await start({
      apiGate: { allow: [{ plugin: 'hello', path: '/health' }] },
      features: [rootHttpRouterServiceFactory({ indexPath: '/api/hello' })],
    });
    const token = await sign();
    const target = '/api/hello/x';
    const answers: [status: number, answer: Answer][] = [
      [401, await get(target)],
      [401, await get('/api/absent/x')],
      [401, await get(target, 'Authorization: Basic Og==')],
      [401, await get(target, bearer('x'))],
      [400, await get(target, bearer('x'), bearer('x'))],
      [403, await get(target, cookie(token), EVIL)],
      [403, await get(target, bearer(EXTERNAL))],
      // The router of `hello` serves this path again at the root, behind the gate's mount.
      [401, await get('/elsewhere')],
      [401, await upgrade('/api/hello/ws')],
      [401, await upgrade('/api/hello/ws', bearer('x'))],
    ];
    for (const [status, answer] of answers) {
      expect([status, idOf(answer)]).toEqual([
        answer.status,
        expect.stringMatching(ID),
      ]);
    }
    const ids = answers.map(([, answer]) => idOf(answer));
    await until(() => denials().length === ids.length);
    expect(denials().map(({ decision }) => decision)).toEqual(ids);
    for (const { decision, plugin, reason } of denials()) {
      const [line, ...others] = linesWith(decision);
      expect(line.meta).toMatchObject({ decision, plugin, reason });
      expect(others).toEqual([]);
    }

    // A request that passes has none, and neither has the answer of its handler.
    for (const passed of [
      await get(target, bearer(token)),
      await get('/api/hello/health'),
      await get('/api/nosuch/x', bearer(token)),
    ]) {
      expect(passed.headers).not.toHaveProperty(HEADER);
    }
  });
});

describe('[P39] the audit event of a refusal', () => {
  it('has the subject of a token that has verified, and no claim of any other; the log has no user', async () => {
    const { denials, get, log, request, sign, upgrade } = await start({
      apiGate: {
        allow: [
          { plugin: 'hello', path: '/health' },
          { plugin: 'hello', path: '/ws', methods: ['WEBSOCKET'] },
        ],
      },
    });
    const subject = 'user:default/signed-out';
    const other = 'user:default/of-another';
    const token = await sign({ sub: subject });
    const signedOut = await request('POST', '/api/auth/signs-in/logout', [
      cookie(token),
    ]);
    expect(signedOut.status).toBe(404);
    const revoked = bearer(token);
    const iss = 'https://other.example/api/auth';
    const foreign = await sign({ iss, sub: other });
    const sub = 'user:default/mallory';
    const mallory = forge(await sign({ sub }));
    const forgedForeign = forge(await sign({ iss, sub }));
    const target = '/api/hello/x';
    const rows: [string | undefined, string, () => Promise<Answer>][] = [
      [subject, 'revoked', () => get(target, revoked)],
      [subject, 'revoked', () => get('/api/hello/health', revoked)],
      [subject, 'revoked', () => get('/api/auth/guest/refresh', revoked)],
      [subject, 'revoked', () => get('/api/other/x', cookie(token))],
      [subject, 'revoked', () => upgrade('/api/hello/ws', revoked)],
      [subject, 'revoked', () => upgrade('/api/other/ws', revoked)],
      [other, 'untrusted-issuer', () => get(target, bearer(foreign))],
      [undefined, 'restricted', () => get(target, bearer(EXTERNAL))],
      [undefined, 'invalid-token', () => get(target, bearer(mallory))],
      [undefined, 'invalid-token', () => get(target, bearer(forgedForeign))],
      [undefined, 'missing-credentials', () => get(target)],
    ];
    // The audit has at most one event a second of each kind, so the clock jumps between requests.
    const realNow = Date.now;
    let skew = 0;
    jest.spyOn(Date, 'now').mockImplementation(() => realNow() + skew);
    for (const [, , send] of rows) {
      skew += 1_100;
      await send();
    }
    await until(() => denials().length === rows.length);
    expect(denials().map(meta => [meta.subject, meta.reason])).toEqual(
      rows.map(([subjectOfRow, reason]) => [subjectOfRow, reason]),
    );
    expect(JSON.stringify(log)).not.toMatch(/"subject":"user:/);
    const text = JSON.stringify([log, denials()]);
    expect(text).not.toContain('mallory');
  });

  const SOCKET = /^(::1|(::ffff:)?127\.0\.0\.1)$/;
  const FORWARDED = /^203\.0\.113\.9$/;

  /** Has a request and an upgrade refused, which a proxy has forwarded for a list of addresses. */
  async function refuseForwarded(options: SignedBackendOptions, list: string) {
    const { denials, get, log, sign, upgrade } = await start({
      ...options,
      features: [webSocketPlugin('live', { '/ws': undefined }).feature],
    });
    // Before backend-defaults 0.19, the plugin listens at the server from a first request on.
    await get('/api/live/x', bearer(await sign()));
    const headerLine = `X-Forwarded-For: ${list}`;
    await get('/api/hello/x', headerLine);
    await upgrade('/api/live/ws', headerLine);
    await until(() => denials().length === 2);
    return { metas: denials(), text: JSON.stringify([log, denials()]) };
  }

  it('has no address of the client by default', async () => {
    const { text } = await refuseForwarded({}, '203.0.113.9');
    expect(text).not.toMatch(/clientAddress|203\.0\.113|127\.0\.0\.1|::1/);
  });

  it.each<[string, JsonObject, RegExp]>([
    ['of the socket', {}, SOCKET],
    ['that a trusted proxy forwards', { trustProxy: 'loopback' }, FORWARDED],
    [
      'of the socket behind another proxy',
      { trustProxy: '192.0.2.0/24' },
      SOCKET,
    ],
  ])(
    'has the address %s, where that is switched on',
    async (_, backend, address) => {
      const { metas } = await refuseForwarded(
        { apiGate: { audit: { clientAddress: true } }, config: { backend } },
        '198.51.100.1, 203.0.113.9',
      );
      for (const { clientAddress } of metas) {
        expect(clientAddress).toMatch(address);
      }
    },
  );

  it('has no text that a client sent in place of an address', async () => {
    const { metas, text } = await refuseForwarded(
      {
        apiGate: { audit: { clientAddress: true } },
        config: { backend: { trustProxy: true } },
      },
      'no-address-but-text, 203.0.113.9',
    );
    for (const meta of metas) {
      expect(meta).not.toHaveProperty('clientAddress');
    }
    expect(text).not.toContain('no-address');
  });
});
