import {
  BASIC,
  HEADER,
  inHeader,
  startForeignScene,
} from '../__testUtils__/foreignScene';
import {
  claimsOf,
  cookie,
  COOKIE_ENDPOINT,
  now,
} from '../__testUtils__/requestParts';
import { signedBackends } from '../__testUtils__/signedBackends';

/** All that may be in each place of a request's credentials. */
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

/** Returns who a request is from, by the order in docs/recipes/foreign-authorization.md; `undefined` for 401. */
function judge(sent: Sent, isForeign: boolean): string | undefined {
  const isIssuedHere = sent.authorization === 'user';
  if (sent.header !== 'no') {
    return sent.header === 'valid' && !isIssuedHere ? 'by header' : undefined;
  }
  if (!isForeign && !['no', 'Basic'].includes(sent.authorization)) {
    return sent.authorization === 'foreign'
      ? undefined
      : `by ${sent.authorization}`;
  }
  return ['valid', "another's"].includes(sent.cookie) && !isIssuedHere
    ? `by ${sent.cookie} cookie`
    : undefined;
}

/** Returns whose value a handler finds in the `Authorization` of a request that passes. */
function handedOn(sent: Sent, isForeign: boolean, isProxied = false): string {
  if (isForeign || sent.authorization !== 'no') {
    return sent.authorization;
  }
  return isProxied && sent.header === 'valid' ? 'no' : judge(sent, isForeign)!;
}

/** Each path, with whose `Authorization` arrives there. */
const PLACES: [path: string, arrives: (sent: Sent) => string][] = [
  ['/api/hello/x', sent => handedOn(sent, false)],
  ['/api/hello/foreign/x', sent => handedOn(sent, true)],
  ['/api/proxy/foreign/x', sent => handedOn(sent, true)],
  ['/api/proxy/forward/x', sent => handedOn(sent, false, true)],
  ['/api/proxy/plain/x', () => 'no'],
];

const backends = signedBackends();

describe('[P61] any combination of credentials', () => {
  let scene: Awaited<ReturnType<typeof startForeignScene>>;
  /** The text of each credential. */
  let texts: Record<string, string>;

  beforeAll(async () => {
    scene = await startForeignScene(backends);
    const signFor = (name: string) =>
      scene.sign({ sub: `user:default/${name}` });
    const revoked = await scene.sign({ iat: now() - 100 });
    await scene.request('DELETE', `/api/hello${COOKIE_ENDPOINT}`, [
      cookie(revoked),
    ]);
    texts = {
      'by header': await signFor('in-header'),
      'by valid cookie': await signFor('in-cookie'),
      "by another's cookie": await signFor('other'),
      'by user': await signFor('in-bearer'),
      'by static': 'external-token',
      expired: await scene.sign({ iat: now() - 7200, exp: now() - 3600 }),
      revoked,
      foreign: scene.foreignToken,
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
    const valid = inHeader(texts['by header']);
    return [
      ...(sent.cookie === 'no' ? [] : [cookie(inCookie)]),
      ...(authorization ? [`Authorization: ${authorization}`] : []),
      ...{
        no: [],
        valid: [valid],
        bad: [inHeader('x.y.z')],
        twice: [valid, valid],
      }[sent.header],
    ];
  };

  const principalOf = (by: string) =>
    by === 'by static' ? 'ci' : claimsOf(texts[by]).sub;

  it.each(PLACES)(
    'is judged and handed on as documented: %s',
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
        const { headers, status, at } = await scene.send(
          path,
          ...linesOf(sent),
        );
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
});
