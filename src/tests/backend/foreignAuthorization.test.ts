import proxyPlugin from '@backstage/plugin-proxy-backend';
import type { IncomingHttpHeaders } from 'node:http';
import { createForge } from '../../__testUtils__/forge';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import {
  claimsOf,
  cookie,
  COOKIE_ENDPOINT,
  now,
} from '../../__testUtils__/requestParts';
import {
  SignedBackend,
  signedBackends,
} from '../../__testUtils__/signedBackends';

const HEADER = 'X-Backstage-Token';
const BASIC = 'Basic aW5ncmVzczpwYXNz';

/** The places of a request's credentials, each with all that may be there. */
const COOKIES = ['no', 'valid', 'expired', 'revoked', "another's"] as const;
const AUTHORIZATIONS = ['no', 'foreign', 'Basic', 'user', 'static'] as const;
const HEADERS = ['no', 'valid', 'bad', 'twice'] as const;

interface Sent {
  cookie: (typeof COOKIES)[number];
  authorization: (typeof AUTHORIZATIONS)[number];
  header: (typeof HEADERS)[number];
}

const ALL: Sent[] = COOKIES.flatMap(inCookie =>
  AUTHORIZATIONS.flatMap(authorization =>
    HEADERS.map(header => ({ cookie: inCookie, authorization, header })),
  ),
);

/** Returns who a request is from, by the order of `docs/recipes/foreign-authorization.md`; `undefined` for 401. */
function judge(sent: Sent, isForeign: boolean): string | undefined {
  const isOfBackstage = ['user', 'static'].includes(sent.authorization);
  if (sent.header !== 'no') {
    return sent.header === 'valid' && !isOfBackstage ? 'by header' : undefined;
  }
  if (
    !isForeign &&
    ['foreign', 'user', 'static'].includes(sent.authorization)
  ) {
    return isOfBackstage ? `by ${sent.authorization}` : undefined;
  }
  return ['valid', "another's"].includes(sent.cookie) && !isOfBackstage
    ? `by ${sent.cookie} cookie`
    : undefined;
}

/** Returns the `Authorization` that a handler gets of a request that passes, by what holds it. */
function handedOn(sent: Sent, isForeign: boolean, isProxied = false): string {
  if (isForeign || sent.authorization !== 'no') {
    return sent.authorization;
  }
  if (sent.header === 'valid') {
    return isProxied ? 'no' : 'by header';
  }
  return judge(sent, isForeign)!;
}

/** A path, and the `Authorization` that arrives there. `undefined` for a handler of this backend. */
const PLACES: [path: string, arrives: (sent: Sent) => string][] = [
  ['/api/hello/x', sent => handedOn(sent, false)],
  ['/api/hello/foreign/x', sent => handedOn(sent, true)],
  ['/api/proxy/foreign/x', sent => handedOn(sent, true)],
  ['/api/proxy/forward/x', sent => handedOn(sent, false, true)],
  ['/api/proxy/plain/x', () => 'no'],
];

interface Arrived {
  headers: IncomingHttpHeaders;
  rawHeaders: string[];
  principals?: unknown[];
}

const backends = signedBackends();

describe.each([true, false])(
  '[P60] with both settings, and the token cache %s',
  isCached => {
    let backend: SignedBackend;
    /** The text of each credential. */
    let texts: Record<string, string>;
    const arrived: Arrived[] = [];

    const start = async () => {
      const target = await backends.serve((req, res) => {
        arrived.push({ headers: req.headers, rawHeaders: req.rawHeaders });
        res.end('{}');
      });
      const hello = recordingPlugin('hello', {
        handle: async (req, res, { httpAuth }) => {
          const principals = [
            await httpAuth.credentials(req),
            await httpAuth.credentials(req, { allowLimitedAccess: true }),
          ].map(
            ({ principal }: any) =>
              principal.userEntityRef ?? principal.subject,
          );
          const { headers, rawHeaders } = req;
          arrived.push({ headers, rawHeaders, principals });
          res.json({});
        },
      });
      const endpoint = { target: `http://localhost:${target}` };
      // The operator's mistake of naming the credential header must send it nowhere.
      const allowedHeaders = ['Authorization', HEADER];
      return backends.start({
        features: [hello.feature, proxyPlugin],
        apiGate: {
          credentialHeader: HEADER,
          foreignAuthorization: [
            { plugin: 'proxy', path: '/foreign/**' },
            { plugin: 'hello', path: '/foreign/**' },
          ],
          ...(!isCached && { tokenCache: false }),
        },
        config: {
          proxy: {
            endpoints: {
              '/foreign': { ...endpoint, allowedHeaders },
              '/forward': { ...endpoint, credentials: 'forward' },
              '/plain': { ...endpoint, allowedHeaders: [HEADER] },
            },
          },
          backend: {
            auth: {
              externalAccess: [
                {
                  type: 'static',
                  options: { token: 'external-token', subject: 'ci' },
                },
              ],
            },
          },
        },
      });
    };

    beforeAll(async () => {
      backend = await start();
      const { key, url } = { key: backends.key, url: backend.url };
      const revoked = await backend.sign({ iat: now() - 100 });
      await backend.request('DELETE', `/api/hello${COOKIE_ENDPOINT}`, [
        cookie(revoked),
      ]);
      const forge = createForge(key, 'https://sso.example.com');
      texts = {
        'by header': await backend.sign({ sub: 'user:default/in-header' }),
        'by valid cookie': await backend.sign({
          sub: 'user:default/in-cookie',
        }),
        "by another's cookie": await backend.sign({
          sub: 'user:default/other',
        }),
        'by user': await backend.sign({ sub: 'user:default/in-bearer' }),
        'by static': 'external-token',
        expired: await backend.sign({ iat: now() - 7200, exp: now() - 3600 }),
        revoked,
        foreign: forge.token({
          header: { typ: 'JWT' },
          claims: { sub: 'jane', aud: 'cost-management' },
        }),
      };
    });
    afterAll(() => backends.stopAll());

    const authorizationOf = (name: string): string | undefined => {
      if (name === 'no') {
        return undefined;
      }
      return name === 'Basic'
        ? BASIC
        : `Bearer ${texts[name] ?? texts[`by ${name}`]}`;
    };

    const linesOf = (sent: Sent): string[] => {
      const inCookie = texts[sent.cookie] ?? texts[`by ${sent.cookie} cookie`];
      const authorization = authorizationOf(sent.authorization);
      const values = {
        no: [],
        valid: [texts['by header']],
        bad: ['x.y.z'],
        twice: [texts['by header'], texts['by header']],
      }[sent.header];
      return [
        ...(sent.cookie === 'no' ? [] : [cookie(inCookie)]),
        ...(authorization ? [`Authorization: ${authorization}`] : []),
        ...values.map(value => `${HEADER}: ${value}`),
      ];
    };

    const principalOf = (by: string) =>
      by === 'by static' ? 'ci' : claimsOf(texts[by]).sub;

    it.each(PLACES)(
      'judges and forwards as documented: %s',
      async (path, arrives) => {
        const isForeign = path.includes('foreign');
        const found = [];
        const expected = [];
        // The second time, the tokens are remembered.
        for (const sent of [...ALL, ...ALL]) {
          const by = judge(sent, isForeign);
          const authorization = by && authorizationOf(arrives(sent));
          const principal =
            by && path.startsWith('/api/hello') ? principalOf(by) : undefined;
          expected.push({
            sent,
            status: by ? 200 : 401,
            authorization,
            lines: by && (authorization ? ['authorization'] : []),
            principals: principal && [principal, principal],
            isPrivate: true,
          });
          arrived.length = 0;
          const { headers, status } = await backend.get(path, ...linesOf(sent));
          const [at] = arrived;
          // Shared caches know what to do with an answer to a bearer token in `Authorization`.
          const isKnownToCaches = !by || by === `by ${sent.authorization}`;
          found.push({
            sent,
            status,
            authorization: at?.headers.authorization,
            lines: at?.rawHeaders
              .map(name => name.toLowerCase())
              .filter(name =>
                ['authorization', HEADER.toLowerCase()].includes(name),
              ),
            principals: at?.principals,
            isPrivate:
              isKnownToCaches ||
              /private|no-store/.test(headers['cache-control'] ?? ''),
          });
        }
        expect(found).toEqual(expected);
      },
    );
  },
);
