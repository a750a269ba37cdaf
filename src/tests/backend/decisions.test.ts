import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import type { JsonObject } from '@backstage/types';
import { RawResponse, rawRequest } from '../../__testUtils__/rawRequest';
import { rawUpgrade } from '../../__testUtils__/rawUpgrade';
import { recordingAuditor } from '../../__testUtils__/recordingAuditor';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { createSigningKey, SigningKey } from '../../__testUtils__/signingKey';
import { RunningBackend, startBackend } from '../../__testUtils__/startBackend';
import { until } from '../../__testUtils__/until';

jest.setTimeout(60_000);

const HEADER = 'api-gate-decision';
const ID = /^[0-9a-f]{16}$/;
const EXTERNAL = 'a-static-token-of-a-ci-server';
const FORWARDED = 'X-Forwarded-For: 203.0.113.9';

let key: SigningKey;
let stop: () => Promise<void>;

beforeAll(async () => {
  key = await createSigningKey();
});
afterAll(() => key.remove());
afterEach(async () => {
  jest.restoreAllMocks();
  await stop();
});

interface Denial {
  eventId: string;
  status: string;
  meta: Record<string, unknown>;
}

async function start(
  apiGate: JsonObject = {},
  options: {
    backend?: JsonObject;
    features?: Parameters<typeof startBackend>[0]['features'];
  } = {},
) {
  const audit: Denial[] = [];
  const hello = recordingPlugin('hello', {
    policies: [{ path: '/', allow: 'unauthenticated' }],
  });
  const other = recordingPlugin('other');
  const backend = await startBackend({
    features: [
      hello.feature,
      other.feature,
      recordingAuditor(audit),
      ...(options.features ?? []),
    ],
    config: {
      backend: {
        auth: {
          externalAccess: [
            {
              type: 'static',
              options: { token: EXTERNAL, subject: 'ci' },
              accessRestrictions: [{ plugin: 'other' }],
            },
          ],
        },
        ...options.backend,
      },
      auth: {
        ...(key.config.auth as JsonObject),
        providers: { 'signs-in': { signIn: {} } },
        apiGate,
      },
    },
  });
  stop = backend.stop;
  const request = (target: string, ...headerLines: string[]) =>
    rawRequest(backend.port, target, { headerLines });
  return {
    ...backend,
    hello,
    request,
    sign: (claims: object = {}) =>
      key.sign({ iss: `${backend.url}/api/auth`, ...claims }),
    /** Denials of the audit. */
    denials: () =>
      audit
        .filter(
          ({ eventId, status }) =>
            eventId === 'api-gate-denial' && status === 'failed',
        )
        .map(({ meta }) => meta),
  };
}

/** Returns the lines of the log that have an id, with their own or among those left out. */
function linesWith({ log }: RunningBackend, id: string) {
  return log
    .map(({ message, meta }) => ({ message, meta: meta as any }))
    .filter(
      ({ meta }) =>
        meta?.decision === id ||
        meta?.omittedDecisions?.some((label: string) => label.startsWith(id)),
    );
}

const idOf = ({ headers }: Pick<RawResponse, 'headers'>): string =>
  headers[HEADER]!;

/** Waits until the second is over in which further refusals are not logged at once. */
const aSecond = () => new Promise(resolve => setTimeout(resolve, 1_100));

describe('[P38] a refusal', () => {
  it('has an id that its answer, one line of the log and the audit share, whatever its status', async () => {
    const backend = await start(
      { allow: [{ plugin: 'hello', path: '/health' }] },
      { features: [rootHttpRouterServiceFactory({ indexPath: '/api/hello' })] },
    );
    const { request } = backend;
    const token = await backend.sign();
    const answers: [status: number, answer: Pick<RawResponse, 'headers'>][] = [
      [401, await request('/api/hello/x')],
      [401, await request('/api/absent/x')],
      [401, await request('/api/hello/x', 'Authorization: Basic Og==')],
      [401, await request('/api/hello/x', 'Authorization: Bearer x')],
      [
        400,
        await request(
          '/api/hello/x',
          ...Array(2).fill('Authorization: Bearer x'),
        ),
      ],
      [
        403,
        await request(
          '/api/hello/x',
          `Cookie: token=${token}`,
          'Origin: https://evil.example',
        ),
      ],
      [403, await request('/api/hello/x', `Authorization: Bearer ${EXTERNAL}`)],
      // The router of `hello` serves this path again at the root, behind the gate's mount.
      [401, await request('/elsewhere')],
      [401, await rawUpgrade(backend.port, '/api/hello/ws')],
      [
        401,
        await rawUpgrade(backend.port, '/api/hello/ws', [
          'Authorization: Bearer x',
        ]),
      ],
    ];
    for (const [status, answer] of answers) {
      expect([status, idOf(answer)]).toEqual([
        (answer as RawResponse).status,
        expect.stringMatching(ID),
      ]);
    }
    await aSecond();
    for (const [, answer] of answers) {
      expect(linesWith(backend, idOf(answer))).toHaveLength(1);
    }
    const audited = backend.denials();
    expect(audited.length).toBeGreaterThan(5);
    for (const { decision, plugin, reason } of audited) {
      const [line] = linesWith(backend, String(decision));
      expect(line.meta).toMatchObject({ decision, plugin, reason });
    }

    // A request that passes has none, and neither has the answer of its handler.
    for (const passed of [
      await request('/api/hello/x', `Authorization: Bearer ${token}`),
      await request('/api/hello/health'),
      await request('/api/nosuch/x', `Authorization: Bearer ${token}`),
    ]) {
      expect(passed.headers).not.toHaveProperty(HEADER);
    }
  });

  it('has one of 1,000 ids, each in one line of the log, while the audit has one a second', async () => {
    const backend = await start();
    const startedAt = Date.now();
    const ids: string[] = [];
    for (let i = 0; i < 1_000; i += 25) {
      const answers = await Promise.all(
        Array.from({ length: 25 }, (_, j) =>
          backend.request(`/api/hello/${i + j}`),
        ),
      );
      ids.push(...answers.map(idOf));
    }
    const seconds = (Date.now() - startedAt) / 1000;
    await aSecond();
    expect(new Set(ids).size).toBe(1_000);
    const logged = backend.log.flatMap(({ meta }) => {
      const { decision, omittedDecisions = [] } = (meta ?? {}) as any;
      return decision ? [decision, ...omittedDecisions] : omittedDecisions;
    });
    expect(logged.sort()).toEqual(ids.sort());
    expect(backend.denials().length).toBeLessThanOrEqual(seconds + 2);
    const [first] = backend.denials();
    expect(linesWith(backend, String(first.decision))).toHaveLength(1);
  });

  it('has an id in the log in report-only, where the answer is that of the handler', async () => {
    const backend = await start({ mode: 'report-only' });
    const token = await backend.sign();
    const answer = await backend.request(
      '/api/hello/x',
      `Cookie: token=${token}`,
      'Origin: https://evil.example',
    );
    expect(answer.headers).not.toHaveProperty(HEADER);
    const line = backend.log.find(
      ({ message }) => message === 'API gate would have refused a request',
    );
    expect(line!.meta).toMatchObject({
      reason: 'cross-site',
      decision: expect.stringMatching(ID),
    });
  });

  it('has an id in the log while the backend stops, too', async () => {
    const backend = await start();
    const first = await backend.request('/api/hello/x');
    const waiting = await backend.request('/api/hello/x');
    await backend.stop();
    stop = async () => {};
    expect(linesWith(backend, idOf(first))).toHaveLength(1);
    expect(linesWith(backend, idOf(waiting))).toHaveLength(1);
  });
});

describe('[P39] the log line and the audit event of a refusal', () => {
  it('have the subject of a token that has verified, and no claim of any other', async () => {
    const backend = await start({
      allow: [
        { plugin: 'hello', path: '/health' },
        { plugin: 'hello', path: '/ws', methods: ['WEBSOCKET'] },
      ],
    });
    const { request, sign } = backend;
    const subject = 'user:default/signed-out';
    const token = await sign({ sub: subject });
    const signedOut = await rawRequest(
      backend.port,
      '/api/auth/signs-in/logout',
      { method: 'POST', headerLines: [`Cookie: token=${token}`] },
    );
    expect(signedOut.status).toBe(404);
    const bearer = `Authorization: Bearer ${token}`;
    const foreign = await sign({
      iss: 'https://other.example/api/auth',
      sub: 'user:default/of-another',
    });
    const forged = (text: string) =>
      `${text.slice(0, -40)}AAAA${text.slice(-36)}`;
    const mallory = forged(await sign({ sub: 'user:default/mallory' }));
    const forgedForeign = forged(
      await sign({
        iss: 'https://other.example/api/auth',
        sub: 'user:default/mallory',
      }),
    );
    const rows: [
      string | undefined,
      string,
      () => Promise<Pick<RawResponse, 'headers'>>,
    ][] = [
      [subject, 'revoked', () => request('/api/hello/x', bearer)],
      [subject, 'revoked', () => request('/api/hello/health', bearer)],
      [subject, 'revoked', () => request('/api/auth/guest/refresh', bearer)],
      [
        subject,
        'revoked',
        () => request('/api/other/x', `Cookie: token=${token}`),
      ],
      [
        subject,
        'revoked',
        () => rawUpgrade(backend.port, '/api/hello/ws', [bearer]),
      ],
      [
        subject,
        'revoked',
        () => rawUpgrade(backend.port, '/api/other/ws', [bearer]),
      ],
      [
        'user:default/of-another',
        'untrusted-issuer',
        () => request('/api/hello/x', `Authorization: Bearer ${foreign}`),
      ],
      [
        'ci',
        'restricted',
        () => request('/api/hello/x', `Authorization: Bearer ${EXTERNAL}`),
      ],
      [
        undefined,
        'invalid-token',
        () => request('/api/hello/x', `Authorization: Bearer ${mallory}`),
      ],
      [
        undefined,
        'invalid-token',
        () => request('/api/other/x', `Authorization: Bearer ${forgedForeign}`),
      ],
      [undefined, 'missing-credentials', () => request('/api/hello/x')],
    ];
    // The log has at most one line a second per plugin and reason, so the clock jumps between requests.
    const realNow = Date.now;
    let skew = 0;
    jest.spyOn(Date, 'now').mockImplementation(() => realNow() + skew);
    for (const [subjectOfRow, reason, send] of rows) {
      skew += 1_100;
      const decision = idOf(await send());
      const [{ meta }] = linesWith(backend, decision);
      expect(meta).toMatchObject({ decision, reason });
      expect([reason, meta.subject]).toEqual([reason, subjectOfRow]);
    }
    await until(() => backend.denials().length === rows.length);
    for (const meta of backend.denials()) {
      const [line] = linesWith(backend, String(meta.decision));
      expect(meta.subject).toBe(line.meta.subject);
    }
    const text = JSON.stringify([backend.log, backend.denials()]);
    expect(text).toContain(subject);
    expect(text).not.toContain('mallory');
  });

  it('have no address of the client by default', async () => {
    const backend = await start();
    await backend.request('/api/hello/x', FORWARDED);
    await rawUpgrade(backend.port, '/api/hello/ws', [FORWARDED]);
    await until(() => backend.denials().length > 0);
    const text = JSON.stringify([backend.log, backend.denials()]);
    expect(text).not.toMatch(/clientAddress|203\.0\.113|127\.0\.0\.1|::1/);
  });

  it.each<[string, JsonObject, RegExp]>([
    ['of the socket', {}, /^(::1|(::ffff:)?127\.0\.0\.1)$/],
    [
      'that a trusted proxy forwards',
      { trustProxy: 'loopback' },
      /^203\.0\.113\.9$/,
    ],
    [
      'of the socket behind no hop',
      { trustProxy: 0 },
      /^(::1|(::ffff:)?127\.0\.0\.1)$/,
    ],
    ['before one hop', { trustProxy: 1 }, /^203\.0\.113\.9$/],
    [
      'of the socket behind another proxy',
      { trustProxy: '192.0.2.0/24' },
      /^(::1|(::ffff:)?127\.0\.0\.1)$/,
    ],
  ])(
    'have the address %s, where that is switched on',
    async (_, extra, address) => {
      const backend = await start(
        { audit: { clientAddress: true } },
        { backend: extra },
      );
      const answers = [
        await backend.request(
          '/api/hello/x',
          'X-Forwarded-For: 198.51.100.1, 203.0.113.9',
        ),
        await rawUpgrade(backend.port, '/api/other/ws', [
          'X-Forwarded-For: 198.51.100.1, 203.0.113.9',
        ]),
      ];
      for (const answer of answers) {
        const [{ meta }] = linesWith(backend, idOf(answer));
        expect(meta.clientAddress).toMatch(address);
      }
      await until(() => backend.denials().length === 2);
      for (const meta of backend.denials()) {
        expect(meta.clientAddress).toMatch(address);
      }
    },
  );

  it('have no text that a client sent in place of an address', async () => {
    const backend = await start(
      { audit: { clientAddress: true } },
      { backend: { trustProxy: true } },
    );
    const forged = 'X-Forwarded-For: no-address-but-text, 203.0.113.9';
    const answers = [
      await backend.request('/api/hello/x', forged),
      await rawUpgrade(backend.port, '/api/other/ws', [forged]),
    ];
    for (const answer of answers) {
      const [{ meta }] = linesWith(backend, idOf(answer));
      expect(meta).not.toHaveProperty('clientAddress');
    }
    await until(() => backend.denials().length === 2);
    expect(JSON.stringify([backend.log, backend.denials()])).not.toContain(
      'no-address',
    );
  });
});
