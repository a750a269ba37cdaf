import { withSubject } from '../../../src/__tests__/__testUtils__/withSubject';
import { Answer, Credentials, send } from '../../http';
import { expectEqual, Report } from '../../Report';
import { CATALOG, EXTERNAL, forged, HELLO, tokenOf, World } from './World';

type Statuses = [catalog: number, hello: number, helloThroughGateway: number];

/** Callers, with the answers of the first backend's `catalog`, the second's `hello`, and `hello` through the gateway. */
const CALLERS: [
  name: string,
  credentials: (world: World, userToken: string) => Promise<Credentials>,
  statuses: Statuses,
][] = [
  ['nobody', async () => ({}), [401, 401, 401]],
  [
    'a user with a bearer token',
    async (_, bearer) => ({ bearer }),
    [200, 200, 200],
  ],
  [
    'a user with the cookie',
    async (_, token) => ({ cookie: `token=${token}` }),
    [200, 200, 200],
  ],
  [
    'an expired session',
    async ({ sign }) => ({
      bearer: await sign({ exp: Math.floor(Date.now() / 1000) - 10 }),
    }),
    [401, 401, 401],
  ],
  [
    'a user of another deployment',
    async ({ sign }) => ({
      bearer: await sign({ iss: 'https://other.example.com/api/auth' }),
    }),
    [401, 401, 401],
  ],
  [
    'a forged user token',
    async (_, token) => ({ bearer: forged(token) }),
    [401, 401, 401],
  ],
  [
    'a forged cookie',
    async (_, token) => ({ cookie: `token=${forged(token)}` }),
    [401, 401, 401],
  ],
  [
    'catalog, for hello',
    async ({ first }) => ({ bearer: await tokenOf(first, 'catalog', 'hello') }),
    [401, 200, 200],
  ],
  [
    'hello, for catalog',
    async ({ second }) => ({
      bearer: await tokenOf(second, 'hello', 'catalog'),
    }),
    [200, 401, 401],
  ],
  [
    'notes, for hello beside it',
    async ({ second }) => ({ bearer: await tokenOf(second, 'notes', 'hello') }),
    [401, 200, 200],
  ],
  [
    'catalog, for hello, on behalf of a user',
    async ({ first }, token) => ({
      bearer: await tokenOf(first, 'catalog', 'hello', token),
    }),
    [401, 200, 200],
  ],
  [
    'hello, for catalog, on behalf of a user',
    async ({ second }, token) => ({
      bearer: await tokenOf(second, 'hello', 'catalog', token),
    }),
    [200, 401, 401],
  ],
  [
    'a forged service token',
    async ({ first }) => ({
      bearer: forged(await tokenOf(first, 'catalog', 'hello')),
    }),
    [401, 401, 401],
  ],
  [
    'a service token of no plugin',
    async ({ first }) => ({
      bearer: withSubject(
        await tokenOf(first, 'catalog', 'hello'),
        'nosuchplugin',
      ),
    }),
    [401, 401, 401],
  ],
  [
    'a script',
    async () => ({ bearer: EXTERNAL.unrestricted }),
    [200, 200, 200],
  ],
  [
    'a script restricted to hello',
    async () => ({ bearer: EXTERNAL.hello }),
    [403, 200, 200],
  ],
  [
    'a script restricted to catalog',
    async () => ({ bearer: EXTERNAL.catalog }),
    [200, 403, 403],
  ],
  [
    'an unknown external token',
    async () => ({ bearer: 'no-such-token' }),
    [401, 401, 401],
  ],
];

/** Signs the guest in at the first backend, and returns the browser's credentials. */
export async function signIn({ first }: World): Promise<string> {
  const signedIn = await send(first.port, { path: '/api/auth/guest/refresh' });
  expectEqual('sign-in', signedIn.status, 200);
  return JSON.parse(signedIn.body).backstageIdentity.token;
}

export async function checkCallers(report: Report, world: World) {
  const { first, second } = world;
  const userToken = await signIn(world);

  for (const [name, credentialsOf, expected] of CALLERS) {
    await report.check(`${name}: ${expected.join(', ')}`, async () => {
      const credentials = await credentialsOf(world, userToken);
      const before = await second.ask('handled', { by: 'hello' });
      const answers = [
        await send(first.port, { path: CATALOG, ...credentials }),
        await send(second.port, { path: HELLO, ...credentials }),
        await send(first.port, { path: HELLO, ...credentials }),
      ];
      expectEqual(
        'statuses',
        answers.map(({ status }) => status),
        expected,
      );
      answers.forEach(answer => expectChallenge(answer, credentials));
      expectEqual(
        'how often the handler of hello ran',
        Number(await second.ask('handled', { by: 'hello' })) - Number(before),
        expected.slice(1).filter(status => status === 200).length,
      );
      answers
        .slice(1)
        .filter(({ status }) => status === 200)
        .forEach(({ body }) => expectHandledAs(body, credentials));
      return 'as it should be';
    });
  }

  await report.check('an unknown plugin: 401 before 404', async () => {
    const path = '/api/nosuchplugin/x';
    const statuses = [];
    for (const credentials of [{}, { bearer: userToken }]) {
      for (const { port } of [first, second]) {
        statuses.push((await send(port, { path, ...credentials })).status);
      }
    }
    // The gateway uses discovery, which returns this backend's own address, and ends the loop, with or without the gate.
    expectEqual('statuses', statuses, [401, 401, 508, 404]);
    return 'behind the gateway, its 508 stands for the 404';
  });

  await report.check('the keys of plugins are public', async () => {
    const statuses = [];
    for (const [port, plugin] of [
      [first.port, 'catalog'],
      [first.port, 'hello'],
      [second.port, 'hello'],
    ] as const) {
      const path = `/api/${plugin}/.backstage/auth/v1/jwks.json`;
      statuses.push((await send(port, { path })).status);
    }
    expectEqual('statuses', statuses, [200, 200, 200]);
    return 'through the gateway too';
  });

  await report.check(
    'each backend says at start, once, where the auth plugin is if it is elsewhere',
    async () => {
      const lines = [first, second].map(
        ({ log }) =>
          log.match(/the auth plugin is not installed in this backend.*/g) ??
          [],
      );
      expectEqual(
        'how often',
        lines.map(({ length }) => length),
        [0, 1],
      );
      const [line] = lines[1];
      expectEqual(
        'names the address',
        line.includes(`http://127.0.0.1:${first.port}/api/auth`),
        true,
      );
      return line;
    },
  );
}

/** Expects a challenge by RFC 6750, section 3: an error code only if the request had a credential. */
function expectChallenge(
  { status, headers }: Answer,
  credentials: Credentials,
) {
  const isAnonymous = Object.keys(credentials).length === 0;
  const challenge = isAnonymous
    ? 'Bearer realm="Backstage"'
    : 'Bearer realm="Backstage", error="invalid_token"';
  expectEqual(
    'WWW-Authenticate',
    headers['www-authenticate'],
    status === 401 ? challenge : undefined,
  );
}

/** Expects that the handler got the token as `Authorization`, however the client sent it, and never the gate's cookie. */
function expectHandledAs(body: string, { bearer, cookie }: Credentials) {
  const { authorization, cookie: seen } = JSON.parse(body);
  expectEqual(
    'the Authorization that the handler had',
    authorization,
    `Bearer ${bearer ?? cookie!.split('=')[1]}`,
  );
  expectEqual('the cookies that the handler had', seen, null);
}
