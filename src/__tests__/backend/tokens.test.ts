import type { JsonObject } from '@backstage/types';
import { accessWith, staticToken } from '../__testUtils__/externalAccess';
import {
  createIssuer,
  legacyEntry,
  legacyToken,
} from '../__testUtils__/externalIssuers';
import { ownTokenHandler } from '../__testUtils__/ownTokenHandler';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { bearer } from '../__testUtils__/requestParts';
import {
  SignedBackend,
  SignedBackendOptions,
  signedBackends,
} from '../__testUtils__/signedBackends';
import { startLegacyGate } from '../__testUtils__/startLegacyGate';
import { webSocketPlugin } from '../__testUtils__/webSocketPlugin';

const tokenOf = (subject: string) => `${subject}-token-of-this-test`;
const external = (subject: string, ...restrictedTo: string[]) =>
  staticToken(tokenOf(subject), subject, ...restrictedTo);
const CI = bearer(tokenOf('ci'));
const OTHER = bearer(tokenOf('other'));

/** A handler of the adopter's own, whose tokens are `own <subject>`. */
const ownHandler = ownTokenHandler(token =>
  token.startsWith('own-') ? token.slice(4) : undefined,
);

const backends = signedBackends();
afterEach(() => jest.restoreAllMocks());
afterEach(backends.stopAll);

const only = [{ plugin: 'hello', path: '/ok', methods: ['GET', 'POST'] }];
/** An entry for a token that is to be as without the setting. */
const FREE = { subject: 'other', only: 'all' };

async function start(
  tokens: JsonObject[] | undefined,
  options: {
    access?: JsonObject[];
    apiGate?: JsonObject;
    features?: SignedBackendOptions['features'];
  } = {},
) {
  const { access = [external('ci'), external('other')] } = options;
  const hello = recordingPlugin('hello');
  const settings = (limits: JsonObject[] | undefined) => ({
    config: accessWith(...access),
    apiGate: { ...options.apiGate, ...(limits && { tokens: limits }) },
  });
  const backend = await backends.start({
    ...settings(tokens),
    features: [hello.feature, ...(options.features ?? [])],
  });
  return {
    ...backend,
    handled: hello.handled,
    hello,
    /** Replaces the limits by a change of the configuration. */
    limit: (limits: JsonObject[]) => backend.change(settings(limits)),
  };
}

/** Returns the status and, of a refusal of the gate, its message. */
async function outcome(
  backend: SignedBackend,
  request: string,
  ...lines: string[]
) {
  const [method, target] = request.split(' ');
  const { body, headers, status } = await backend.request(
    method,
    target,
    lines,
  );
  return headers['api-gate-decision']
    ? [status, JSON.parse(body).error.message]
    : status;
}

const REFUSED = [403, 'The token is restricted to other requests'];
const UNLISTED = [
  403,
  'The token is restricted to other requests: auth.apiGate.tokens has no entry for its subject',
];
const ENDED = [401, 'Invalid credentials'];

describe('an external token with only', () => {
  it('[P82] may make these requests, and no others, whatever the spelling', async () => {
    const backend = await start([{ subject: 'ci', only }, FREE]);
    for (const [request, expected] of [
      ['GET /api/hello/ok', 200],
      ['HEAD /api/hello/ok?x=1', 200],
      ['PUT /api/hello/ok', REFUSED],
      ['GET /api/hello/x/../ok', REFUSED],
      ['GET /api/hello/%6Fk', REFUSED],
      ['GET /api\\hello/ok#', REFUSED],
      ['GET http://any/api/hello/ok', REFUSED],
      ['GET /api/hello/.backstage/auth/v1/cookie', REFUSED],
      ['GET /api/auth/api-gate/v1/policy', REFUSED],
      ['POST /api/absent/ok', REFUSED],
    ] as const) {
      expect([request, await outcome(backend, request, CI)]).toEqual([
        request,
        expected,
      ]);
    }
    expect(backend.handled.splice(0).map(({ path }) => path)).toEqual([
      '/ok',
      '/ok',
    ]);
    // An entry opens nothing to others.
    expect(await backend.statusOf('/api/hello/x', OTHER)).toBe(200);
    expect(await backend.statusOf('/api/hello/ok')).toBe(401);
    const user = bearer(await backend.sign());
    expect(await backend.statusOf('/api/hello/x', user)).toBe(200);
    expect(
      await outcome(backend, 'GET /api/hello/ok', bearer(tokenOf('nobody'))),
    ).toEqual([401, 'Invalid credentials']);
  });

  it('[P82] is limited at the next request after a change of the configuration, and as before after a wrong one', async () => {
    const backend = await start([{ ...FREE, subject: 'ci' }]);
    expect(await outcome(backend, 'GET /api/hello/x', CI)).toBe(200);
    backend.limit([{ subject: 'ci', only }]);
    expect(await outcome(backend, 'GET /api/hello/x', CI)).toEqual(REFUSED);
    backend.limit([{ subject: 'cii', only }]);
    expect(await outcome(backend, 'GET /api/hello/x', CI)).toEqual(REFUSED);
    expect(backend.logged('keeps its policy')).toHaveLength(1);
    backend.limit([{ ...FREE, subject: 'ci' }]);
    expect(await outcome(backend, 'GET /api/hello/x', CI)).toBe(200);
  });

  it('[P116] may do nothing once a change removes its entry, also with the token, which Backstage accepts until a restart', async () => {
    const backend = await start([{ subject: 'ci', only }, FREE]);
    expect(await outcome(backend, 'GET /api/hello/ok', CI)).toBe(200);
    backend.change({
      config: accessWith(external('other')),
      apiGate: { tokens: [FREE] },
    });
    for (const path of ['x', 'ok']) {
      expect(await outcome(backend, `GET /api/hello/${path}`, CI)).toEqual(
        UNLISTED,
      );
    }
    expect(await outcome(backend, 'GET /api/hello/x', OTHER)).toBe(200);
    expect(backend.logged('takes effect after a restart', 'warn')).toEqual([]);
  });
});

it('[P83] an external token with until is refused from then on, though it is remembered', async () => {
  const until = new Date(Date.now() + 3_600_000).toISOString();
  const backend = await start([{ subject: 'ci', only: 'all', until }, FREE]);
  // No verdict expires by its time to live.
  const monotonic = performance.now();
  jest.spyOn(performance, 'now').mockReturnValue(monotonic);
  for (let i = 0; i < 2; i += 1) {
    expect(await outcome(backend, 'GET /api/hello/x', CI)).toBe(200);
  }
  backend.handled.splice(0);
  const end = Date.parse(until);
  // It stays refused if the clock is set back.
  for (const time of [end, end - 1_000]) {
    jest.spyOn(Date, 'now').mockReturnValue(time);
    expect(await outcome(backend, 'GET /api/hello/x', CI)).toEqual(ENDED);
  }
  expect(backend.handled).toEqual([]);
  expect(await backend.statusOf('/api/hello/x', OTHER)).toBe(200);
});

describe('a WebSocket of an external token', () => {
  const wsOnly = [{ plugin: 'ws', path: '/live', methods: ['WEBSOCKET'] }];

  async function startSockets(tokens: JsonObject[], apiGate: JsonObject = {}) {
    const ws = webSocketPlugin('ws', {
      '/live': undefined,
      '/other': undefined,
      '/open': undefined,
      '/unauthenticated': 'unauthenticated',
    });
    const backend = await start([...tokens, FREE], {
      apiGate,
      features: [ws.feature],
    });
    // Releases before November 2026 have their handlers after a first request.
    await backend.get('/api/ws/x', OTHER);
    return { ...backend, upgrades: ws.handled };
  }

  it('[P82][P83] opens where only has it, and is refused elsewhere and from until on', async () => {
    const backend = await startSockets([{ subject: 'ci', only: wsOnly }]);
    expect(await backend.upgradeStatus('/api/ws/live', CI)).toBe(101);
    expect(await backend.upgradeStatus('/api/ws/other', CI)).toBe(403);
    expect(await backend.upgradeStatus('/api/ws/live/', CI)).toBe(403);
    expect(await backend.upgradeStatus('/api/ws//live', CI)).toBe(403);
    expect(await outcome(backend, 'GET /api/ws/live', CI)).toEqual(REFUSED);
    expect(backend.upgrades.map(({ path }) => path)).toEqual(['/live']);
    backend.limit([{ subject: 'ci', only: wsOnly, until: '2020-01-01' }]);
    expect(await backend.upgradeStatus('/api/ws/live', CI)).toBe(401);
  });

  it('[P82] is closed when a change of the configuration excludes it, and stays open otherwise', async () => {
    const backend = await startSockets([{ subject: 'ci', only: 'all' }]);
    const open = (subject: string) =>
      backend.upgrade('/api/ws/live', bearer(tokenOf(subject)));
    const [ci, other] = [await open('ci'), await open('other')];
    backend.limit([{ subject: 'ci', only: wsOnly }, FREE]);
    expect(await backend.statusOf('/api/hello/x', OTHER)).toBe(200);
    expect(ci.isClosed()).toBe(false);
    backend.limit([{ subject: 'ci', only }, FREE]);
    await ci.closed;
    expect(other.isClosed()).toBe(false);
    // Without an entry, too.
    backend.limit([]);
    await other.closed;
  });
});

describe('the tokens of each kind of handler', () => {
  it('[P82][P83] of static, legacy and jwks entries, and of handlers of the adopter, are limited by their subject', async () => {
    const { entry, sign } = await createIssuer(backends.serve);
    const subjects = [
      'ci',
      'old',
      'external:gh:repo:a/b:ref:refs/heads/main',
      'bot',
    ];
    const [, , ofIssuer] = subjects;
    const access = [
      external('ci'),
      legacyEntry,
      entry({ audience: 'ci', subjectPrefix: 'gh' }),
      { type: 'own', options: {} },
    ];
    const backend = await start(
      subjects.map(subject => ({ subject, only })),
      { access, features: [ownHandler] },
    );
    const sub = ofIssuer.replace('external:gh:', '');
    const tokens = [
      tokenOf('ci'),
      await legacyToken(),
      await sign({ sub }),
      'own-bot',
    ];
    for (const token of tokens) {
      const ok = await outcome(backend, 'GET /api/hello/ok', bearer(token));
      const x = await outcome(backend, 'GET /api/hello/x', bearer(token));
      expect([ok, x]).toEqual([200, REFUSED]);
    }
    // Nobody else may call, least of all with the subject of a plugin: a handler may return any.
    const others = ['own-another', 'own-plugin:hello', 'own-user:a/b'];
    for (const token of [await sign({ sub: 'another' }), ...others]) {
      expect(
        await outcome(backend, 'GET /api/hello/ok', bearer(token)),
      ).toEqual(UNLISTED);
    }
    // An issuer can't pass its token off as that of a plugin.
    const asPlugin = await sign({ sub }, 'vnd.backstage.plugin');
    expect(await backend.statusOf('/api/hello/x', bearer(asPlugin))).toBe(401);

    backend.change({
      config: accessWith(...access),
      apiGate: {
        tokens: subjects.map(subject => ({
          ...{ subject, only, until: '2020-01-01' },
        })),
      },
    });
    for (const token of tokens) {
      expect(
        await outcome(backend, 'GET /api/hello/ok', bearer(token)),
      ).toEqual(ENDED);
    }
    const refused = backend.logged('API gate refused a request');
    expect(refused.map(({ meta }) => meta)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          reason: 'restricted',
          detail: 'only',
          subject: 'ci',
        }),
        expect.objectContaining({ reason: 'token-ended', subject: 'ci' }),
      ]),
    );
  });

  it('of the legacy backend system can not be limited, since they share a subject with the tokens of plugins', async () => {
    await expect(
      startLegacyGate({ apiGate: { tokens: [FREE] } }),
    ).rejects.toThrow(
      /^auth\.apiGate\.tokens needs the new backend system, [^\n]+: remove it$/,
    );
  });
});

describe('[P116] an external token without an entry', () => {
  const OPEN = [
    { plugin: 'hello', path: '/open' },
    { plugin: 'ws', path: '/open', methods: ['WEBSOCKET'] },
  ];
  const TARGETS = [
    'GET /api/hello/x',
    'POST /api/hello/ok',
    'GET /api/hello/open',
    'GET /api/absent/x',
    'GET /api/auth/v1/userinfo',
    'GET /api/auth/api-gate/v1/policy',
    'GET /api/hello/.backstage/auth/v1/cookie',
  ];

  /** Starts with a plugin whose handler calls another one for its caller. */
  async function startWithCaller(
    tokens: JsonObject[] | undefined,
    apiGate: JsonObject = {},
  ) {
    let url = '';
    const caller = recordingPlugin('caller', {
      async handle(req, res, { auth, httpAuth }) {
        const { token } = await auth.getPluginRequestToken({
          onBehalfOf: await httpAuth.credentials(req),
          targetPluginId: 'hello',
        });
        const headers = { authorization: `Bearer ${token}` };
        const { status } = await fetch(`${url}/api/hello/x`, { headers });
        res.json({ status });
      },
    });
    const ws = webSocketPlugin('ws', {
      '/live': undefined,
      '/open': undefined,
    });
    const backend = await start(tokens, {
      apiGate: { allow: OPEN, ...apiGate },
      features: [caller.feature, ws.feature],
    });
    url = backend.url;
    // Releases before November 2026 have their handlers after a first request.
    await backend.get('/api/ws/x', OTHER);
    backend.handled.splice(0);
    return { ...backend, upgrades: ws.handled };
  }

  it.each([[[]], [[{ subject: 'ci', only }]]])(
    'may make no request, with %j, on public routes and by upgrades neither, and the log says what to write',
    async tokens => {
      const backend = await startWithCaller(tokens);
      for (const target of TARGETS) {
        expect([target, await outcome(backend, target, OTHER)]).toEqual([
          target,
          UNLISTED,
        ]);
      }
      const offered = `Sec-WebSocket-Protocol: a, ${tokenOf('other')}`;
      expect(await backend.upgradeStatus('/api/ws/live', OTHER)).toBe(403);
      for (const line of [OTHER, offered]) {
        expect(await backend.upgradeStatus('/api/ws/open', line)).toBe(403);
      }
      expect([backend.handled, backend.upgrades]).toEqual([[], []]);
      expect(await backend.statusOf('/api/hello/open')).toBe(200);
      const [{ meta }] = backend.logged('API gate refused a request');
      expect(meta).toMatchObject({
        ...{ reason: 'restricted', detail: 'no-entry', subject: 'other' },
        remedy:
          'add an entry with this subject, and with this request in only, to auth.apiGate.tokens',
      });
    },
  );

  it('passes as without the gate where tokens is not set, until a change sets it, which closes its WebSockets', async () => {
    const backend = await startWithCaller(undefined);
    for (const target of ['GET /api/hello/x', 'GET /api/hello/open']) {
      expect(await outcome(backend, target, OTHER)).toBe(200);
    }
    const open = [
      await backend.upgrade('/api/ws/live', OTHER),
      await backend.upgrade('/api/ws/open', OTHER),
    ];
    backend.limit([]);
    await Promise.all(open.map(({ closed }) => closed));
    expect(await outcome(backend, 'GET /api/hello/x', OTHER)).toEqual(UNLISTED);
  });

  it('does not concern plugins, which call with tokens of their own, for an external token too', async () => {
    const backend = await startWithCaller([
      { subject: 'ci', only: [{ plugin: 'caller', path: '/x' }] },
    ]);
    const service = bearer(await backend.hello.tokenFor('hello'));
    expect(await backend.statusOf('/api/hello/x', service)).toBe(200);
    expect(await outcome(backend, 'GET /api/hello/x', CI)).toEqual(REFUSED);
    const { body, status } = await backend.get('/api/caller/x', CI);
    expect([status, JSON.parse(body)]).toEqual([200, { status: 200 }]);
  });
});
