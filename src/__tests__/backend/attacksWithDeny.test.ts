// All of these hold with the rules too: no rule covers the keys and the cookie endpoint, and the forged tokens name the user who is excepted.
import '../attacks/signatures';
import '../attacks/wellKnown';
import { attackedTokens } from '../__testUtils__/attackedTokens';
import { useAttackedBackend } from '../__testUtils__/attackedBackend';
import { expectRefused } from '../__testUtils__/expectRefused';
import { accessWith } from '../__testUtils__/externalAccess';
import {
  createIssuer,
  legacyEntry,
  legacyToken,
} from '../__testUtils__/externalIssuers';
import { rawRequest } from '../__testUtils__/rawRequest';
import { rawUpgrade } from '../__testUtils__/rawUpgrade';
import { bearer, cookie, from, protocol } from '../__testUtils__/requestParts';
import { serve } from '../__testUtils__/serve';
import { startListening } from '../__testUtils__/startListening';
import { smuggling, SMUGGLING } from '../attacks/corpus/connections';
import {
  ATTACKS as CREDENTIALS,
  CredentialAttack,
  SECRET,
  STATIC,
} from '../attacks/corpus/credentials';
import { CREDENTIALS as HEADERS, DECIDING } from '../attacks/corpus/headers';
import { CONFUSIONS } from '../attacks/corpus/paths';
import { ATTACKS } from '../attacks/corpus/rules';
import { TARGETS, UPGRADES } from '../attacks/corpus/upgrades';

const EXCEPTED = 'user:default/test';
const DENIED = 'user:default/denied';

// Every path of both plugins is denied to everybody, but for one user and one external token. The twin has routers of Express 5.
jest.mock('../__testUtils__/attackedSettings', () => {
  const external = (subject: string) => ({
    type: 'static',
    options: { token: `token-of-${subject}`, subject },
  });
  return {
    attackedSettings: {
      apiGate: {
        deny: ['hello', 'docs'].map(plugin => ({
          ...{ plugin, path: '/**', for: ['users', 'tokens', 'plugins'] },
          except: ['user:default/test', 'excepted'],
        })),
      },
      backend: {
        auth: { externalAccess: [external('excepted'), external('denied')] },
      },
    },
  };
});

const backend = useAttackedBackend();

const REQUESTS = [
  ...CONFUSIONS.map(each => ({ ...each, method: 'GET' })),
  ...ATTACKS.map(({ method = 'GET', ...each }) => ({ ...each, method })),
];

describe.each(REQUESTS)(
  '[P115] $id, $product: $flaw (V1, V8, J15)',
  ({ method, targets }) => {
    it.each(targets)(`${method} %s`, async target => {
      const send = async (sub: string) =>
        backend().attempt({
          ...{ method, target },
          headerLines: [bearer(await backend().sign({ sub }))],
        });
      const denied = await send(DENIED);
      expect(denied.response.status).toBe(403);
      expect(denied.handled).toEqual([]);
      expect(denied.counted).toEqual(['hello refused denied bearer']);
      const excepted = await send(EXCEPTED);
      expect(excepted.response.status).toBe(200);
      expect(excepted.handled).toHaveLength(1);
      const anonymous = await backend().attempt({ method, target });
      expect(anonymous.response.status).toBe(401);
      expect(anonymous.handled).toEqual([]);
    });
  },
);

describe('[P115] credentials', () => {
  let fillDenied: Awaited<ReturnType<typeof attackedTokens>>;
  let fillExcepted: typeof fillDenied;

  beforeAll(async () => {
    fillDenied = await attackedTokens(backend(), { sub: DENIED });
    fillExcepted = await attackedTokens(backend(), { sub: EXCEPTED });
  });

  describe.each([
    ['denied', () => fillDenied],
    ['excepted', () => fillExcepted],
  ])('of a user who is %s', (_, fill) => {
    describe.each<CredentialAttack>([...CREDENTIALS, ...HEADERS])(
      '$id, $product: $flaw ($rows)',
      ({ headers, method = 'GET', target = SECRET, refused }) => {
        it.each(headers)(
          `${method} ${target} with %j is refused as without the rule`,
          async lines => {
            const trace = await backend().attempt({
              ...{ method, target: fill()(target) },
              headerLines: fill()(lines).split('\r\n'),
            });
            expectRefused(trace, method, refused);
          },
        );
      },
    );
  });

  // Where a header has a token, it is that of the user who is excepted.
  describe.each(DECIDING)('$id, $product: $flaw (J15)', ({ headers }) => {
    it.each(headers)('%j makes no exception', async lines => {
      const attempt = (line: string) =>
        backend().attempt({
          target: SECRET,
          headerLines: [line, ...fillExcepted(lines).split('\r\n')],
        });
      expectRefused(await attempt(fillDenied(bearer('TOKEN'))), 'GET', {
        ...{ status: 403, reason: 'denied', credential: 'bearer' },
      });
      const { response } = await attempt(fillExcepted(bearer('TOKEN')));
      expect(response.status).toBe(200);
    });
  });

  // `OTHERS_` stands for the token of the other one of the two users.
  it.each([
    ['bearer', SECRET, 'Authorization: Bearer TOKEN'],
    ['bearer', SECRET, 'authorization: bearer TOKEN'],
    ['bearer', SECRET, 'Authorization: Bearer ACTING'],
    ['bearer', STATIC, 'Authorization: Bearer TOKEN'],
    ['cookie', SECRET, 'Cookie: token=TOKEN'],
    ['cookie', SECRET, 'Authorization:\r\nCookie: token=TOKEN'],
    ['cookie', SECRET, 'Cookie: token=TOKEN; token=TOKEN'],
    ['cookie', STATIC, 'Cookie: token=TOKEN'],
    [
      'bearer',
      SECRET,
      'Authorization: Bearer TOKEN\r\nCookie: token=OTHERS_TOKEN',
    ],
    [
      'bearer',
      STATIC,
      'Authorization: Bearer TOKEN\r\nCookie: backstage-auth=OTHERS_LIMITED',
    ],
    ['cookie', STATIC, 'Cookie: backstage-auth=OTHERS_LIMITED; token=TOKEN'],
    ['user-cookie', STATIC, 'Cookie: backstage-auth=LIMITED'],
    ['user-cookie', STATIC, 'Cookie: token=; backstage-auth=LIMITED'],
  ])(
    'as %s, for %s: %j is denied by whom it authenticates',
    async (kind, target, lines) => {
      const plugin = target === STATIC ? 'docs' : 'hello';
      const attempt = async (own: typeof fillDenied, others: typeof own) => {
        const written = own(
          lines.replace(/OTHERS_(\w+)/g, (__, name) => others(name)),
        );
        const headerLines = written.split('\r\n');
        return backend().attempt({ target, headerLines });
      };
      expectRefused(await attempt(fillDenied, fillExcepted), 'GET', {
        ...{ status: 403, reason: 'denied', plugin },
        credential: kind as 'bearer',
      });
      const { counted, handled, response } = await attempt(
        fillExcepted,
        fillDenied,
      );
      expect(response.status).toBe(200);
      expect(handled).toHaveLength(1);
      expect(counted).toEqual([`${plugin} passed ${kind} ${kind}`]);
    },
  );

  it('of services are denied, but for the subject that is excepted', async () => {
    const attempt = (token: string) =>
      backend().attempt({
        target: SECRET,
        headerLines: fillDenied(bearer(token)).split('\r\n'),
      });
    for (const token of ['SERVICE', 'token-of-denied']) {
      expectRefused(await attempt(token), 'GET', {
        ...{ status: 403, reason: 'denied', credential: 'bearer' },
      });
    }
    const { handled, response } = await attempt('token-of-excepted');
    expect([response.status, handled.length]).toEqual([200, 1]);
  });
});

describe('[P115] connections (J6, J15)', () => {
  it.each(SMUGGLING)(
    '$id, $product: $flaw, by a user who is denied',
    async ({ rest, statuses }) => {
      const token = await backend().sign({ sub: DENIED });
      const { response, handled } = await backend().trace(() =>
        backend().exchange(smuggling(token, rest)),
      );
      expect(response).toEqual(
        statuses.map(status => (status === 200 ? 403 : status)),
      );
      expect(handled).toEqual([]);
    },
  );

  it('each request of one connection is judged by its own token', async () => {
    const users = [EXCEPTED, DENIED, EXCEPTED, DENIED];
    const tokens = users.map(sub => backend().sign({ sub }));
    const bytes = (await Promise.all(tokens)).map(token =>
      smuggling(token, 'Content-Length: 0\r\n\r\n'),
    );
    const { response, handled } = await backend().trace(() =>
      backend().exchange(bytes.join('')),
    );
    expect(response).toEqual([200, 403, 200, 403]);
    expect(handled).toHaveLength(2);
  });
});

describe('[P115] upgrades', () => {
  let issuer: Awaited<ReturnType<typeof createIssuer>>;
  let listening: Awaited<ReturnType<typeof startListening>>;

  const secret = Buffer.alloc(32, 2);

  beforeAll(async () => {
    issuer = await createIssuer(async listener => (await serve(listener)).port);
    const options = { secret: secret.toString('base64'), subject: 'excepted' };
    listening = await startListening(
      {
        allow: [{ plugin: 'hello', path: '/public', methods: ['WEBSOCKET'] }],
        deny: [
          {
            ...{ plugin: 'hello', path: '/**' },
            except: [EXCEPTED, 'excepted', 'external:ci:excepted'],
          },
        ],
      },
      accessWith(
        issuer.entry({ audience: 'ci', subjectPrefix: 'ci' }),
        legacyEntry,
        { type: 'legacy', options },
      ),
    );
  }, 60_000);
  afterAll(() => listening.stop());

  /** Expects one answer to upgrades of a user with each kind of credential. */
  async function expectUpgrades(
    sub: string,
    expected: { status: number; heard: number },
    target: string,
    asking?: string[],
  ) {
    listening.heard.length = 0;
    const token = await listening.sign({ sub });
    const credentials = [
      [bearer(token)],
      [cookie(token), from('http://localhost:3000')],
      [protocol(token)],
    ];
    for (const lines of credentials) {
      const { port } = listening;
      const { closed, status } = await rawUpgrade(port, target, lines, asking);
      await closed;
      expect(status).toBe(expected.status);
    }
    expect(listening.heard).toHaveLength(expected.heard);
  }

  // These are not the gate's, or not HTTP.
  const statusBeside: Record<string, number> = {
    ...{ '/': 404, '/secret': 404, '/hello/secret': 404 },
    '\\api\\hello\\secret': 400,
  };

  it.each(TARGETS)(
    '%s: %s reaches no listener for a user who is denied (V1, V3, J15)',
    async (_, target) => {
      const beside = statusBeside[target];
      const denied = { status: beside ?? 403, heard: 0 };
      await expectUpgrades(DENIED, denied, target);
      const excepted = { status: beside ?? 418, heard: beside ? 0 : 3 };
      await expectUpgrades(EXCEPTED, excepted, target);
    },
  );

  it.each(UPGRADES)(
    'to %s reach no listener for a user who is denied (V2, J15)',
    async (_, lines) => {
      const asking = ['Connection: Upgrade', ...lines];
      const target = '/api/hello/public';
      const denied = { status: 403, heard: 0 };
      await expectUpgrades(DENIED, denied, target, asking);
      const excepted = { status: 418, heard: 3 };
      await expectUpgrades(EXCEPTED, excepted, target, asking);
    },
  );

  it.each([
    ['jwks', (subject: string) => issuer.sign({ sub: subject })],
    [
      'legacy',
      (subject: string) =>
        legacyToken(subject === 'excepted' ? secret : undefined),
    ],
  ])(
    'and requests with an external token of type %s are denied, but for the subject that is excepted (V4, J15)',
    async (_, sign) => {
      const { heard, port } = listening;
      const statusesOf = async (subject: string) => {
        const line = bearer(await sign(subject));
        const target = '/api/hello/secret';
        const { status } = await rawRequest(port, target, {
          headerLines: [line],
        });
        const upgrade = await rawUpgrade(port, target, [line]);
        await upgrade.closed;
        return [status, upgrade.status];
      };
      heard.length = 0;
      expect(await statusesOf('denied')).toEqual([403, 403]);
      expect(heard).toEqual([]);
      expect(await statusesOf('excepted')).toEqual([200, 418]);
      expect(heard).toHaveLength(1);
    },
  );
});
