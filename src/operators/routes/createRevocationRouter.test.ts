import { readDocument } from '../../__tests__/__testUtils__/documents';
import { exchangeBytes } from '../../__tests__/__testUtils__/exchangeBytes';
import {
  RESTRICTED,
  startRoutes,
} from '../../__tests__/__testUtils__/startRoutes';
import { unsignedToken } from '../../__tests__/__testUtils__/unsignedToken';
import { TokenCache } from '../../gate/verify/TokenCache';
import type { Revocation } from '../../gate/sessions/Revocation';
import type { UserSignOut } from '../../store/revocations/createUserSignOut';
import { createRevocationRouter } from './createRevocationRouter';

jest.setTimeout(20_000);

const ROUTE = '/api-gate/v1/revocations';
const JANE = 'user:default/jane';
const SERVICE = 'plugin:search';
const OPERATOR = 'user:default/operator';

/** The calls in a minute that the documents name. */
const [, ofUser, ofService] = readDocument('docs/sign-out.md').text.match(
  /accepts (\d+) calls\s+a\s+minute\s+of\s+one user and ([\d,]+) of one service/,
)!;
const LIMITS = {
  user: Number(ofUser),
  service: Number(ofService.replace(',', '')),
};

const iat = Math.floor(Date.now() / 1000) - 60;
const session: Revocation = {
  scope: 'session',
  sub: JANE,
  iat,
  exp: iat + 3600,
};
const everything: Revocation = { ...session, scope: 'user' };
const ofJane = { scope: 'user', sub: JANE };
const page = { revocations: [session], cursor: 'next', hasMore: false };

/** Starts the routes. The session of a caller is revoked if its token has the subject `user:default/gone`. */
async function start(
  options: {
    isStoreGone?: boolean;
    signedOut?: Partial<Awaited<ReturnType<UserSignOut>>>;
  } = {},
) {
  const revoked: unknown[][] = [];
  const revocations = {
    isRevoked: ({ sub }: Revocation) => sub === 'user:default/gone',
    readPage: jest.fn(async (_cursor: string | undefined) => page),
    revoke: jest.fn(async (_revocation: Revocation) => !options.isStoreGone),
  };
  const signOutUser = jest.fn(async () => ({
    revocation: everything,
    isStored: true,
    offlineSessions: { ended: 2 },
    ...options.signedOut,
  }));
  const routes = await startRoutes(access =>
    createRevocationRouter({
      access,
      tokens: new TokenCache({ ttlMs: 0 }),
      revocations: revocations as never,
      signOutUser: signOutUser as never,
      audit: { revoked: (...args) => revoked.push(args) },
    }),
  );
  return {
    ...{ ...revocations, revoked, signOutUser },
    ...{ authorized: routes.authorized, port: routes.port },
    get: (query = '', caller = SERVICE) =>
      routes.send('GET', `${ROUTE}${query}`, caller),
    post: (body: unknown, caller = SERVICE) =>
      routes.send('POST', ROUTE, caller, body),
  };
}

const errorOf = (status: number, name: string, message: string) => ({
  status,
  body: { error: { name, message }, response: { statusCode: status } },
});

const NOT_STORED = errorOf(
  503,
  'ServiceUnavailableError',
  'Signed out at this replica; the others will follow once the database can be reached',
);

describe('GET of revocations', () => {
  it.each([
    ['', undefined],
    ['?since=', ''],
    ['?since=5', '5'],
    ['?since=a&since=b', undefined],
    ['?since[]=1', undefined],
  ])('with %j answers with the page since %j', async (query, cursor) => {
    const { authorized, get, readPage } = await start();
    expect(await get(query)).toMatchObject({ status: 200, body: page });
    expect(readPage.mock.calls).toEqual([[cursor]]);
    expect(authorized).toEqual(['auth.api-gate.read']);
  });

  it.each([JANE, OPERATOR, RESTRICTED])('is not for %s', async caller => {
    const { get, readPage } = await start();
    expect(await get('', caller)).toMatchObject({
      status: 403,
      body: { error: { name: 'NotAllowedError' } },
    });
    expect(readPage).not.toHaveBeenCalled();
  });
});

describe('POST of a revocation', () => {
  it('puts it in force', async () => {
    const { authorized, post, revoke, revoked, signOutUser } = await start();
    expect(await post(session)).toMatchObject({ status: 201, body: {} });
    expect(revoke.mock.calls).toEqual([[session]]);
    expect(revoked).toEqual([[session, { by: SERVICE }]]);
    expect(authorized).toEqual(['auth.api-gate.revoke']);
    expect(signOutUser).not.toHaveBeenCalled();
  });

  it('is 503 while it is not stored', async () => {
    const { post, revoked } = await start({ isStoreGone: true });
    expect(await post(session)).toMatchObject(NOT_STORED);
    const problem = NOT_STORED.body.error.message;
    expect(revoked).toEqual([[session, { by: SERVICE, problem }]]);
  });

  it.each([JANE, OPERATOR, RESTRICTED])('is not for %s', async caller => {
    const { post, revoke, revoked } = await start();
    expect((await post(session, caller)).status).toBe(403);
    expect(revoke).not.toHaveBeenCalled();
    expect(revoked).toEqual([]);
  });

  it('is 400 for another body', async () => {
    const { port, post, revoke } = await start();
    expect(await post({ sub: JANE })).toMatchObject(
      errorOf(400, 'InputError', 'iat must be a number of seconds in the past'),
    );
    expect(await post({})).toMatchObject(
      errorOf(400, 'InputError', 'userEntityRef is missing'),
    );
    const noJson = await fetch(`http://localhost:${port}${ROUTE}`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${SERVICE}`,
        'Content-Type': 'application/json',
      },
      body: '{',
    });
    expect([noJson.status, await noJson.text()]).toEqual([
      400,
      expect.stringContaining('JSON'),
    ]);
    expect(revoke).not.toHaveBeenCalled();
  });
});

describe('POST of a user', () => {
  it.each([JANE, SERVICE, OPERATOR])(
    'by %s ends all sessions and refresh tokens',
    async caller => {
      const { post, revoke, revoked, signOutUser } = await start();
      expect(
        await post({ userEntityRef: 'User:default/Jane' }, caller),
      ).toMatchObject({ status: 201, body: { offlineSessions: { ended: 2 } } });
      expect(signOutUser.mock.calls).toEqual([[JANE, undefined, undefined]]);
      expect(revoked).toEqual([
        [ofJane, { by: caller, offlineSessions: { ended: 2 } }],
      ]);
      expect(revoke).not.toHaveBeenCalled();
    },
  );

  it('needs the permission to revoke for another user', async () => {
    const { authorized, post } = await start();
    await post({ userEntityRef: JANE }, OPERATOR);
    expect(authorized).toEqual(['auth.api-gate.revoke']);
  });

  it.each(['user:default/john', RESTRICTED])('is not for %s', async caller => {
    const { post, revoked, signOutUser } = await start();
    expect((await post({ userEntityRef: JANE }, caller)).status).toBe(403);
    expect(signOutUser).not.toHaveBeenCalled();
    expect(revoked).toEqual([]);
  });

  it('is 503 while the sign-out is not stored', async () => {
    const { post, revoked } = await start({ signedOut: { isStored: false } });
    expect(await post({ userEntityRef: JANE })).toMatchObject(NOT_STORED);
    const problem = NOT_STORED.body.error.message;
    expect(revoked).toEqual([
      [ofJane, { by: SERVICE, problem, offlineSessions: { ended: 2 } }],
    ]);
  });

  it('is 503 while the refresh tokens can not be ended, stored or not', async () => {
    for (const isStored of [true, false]) {
      const { post, revoked } = await start({
        signedOut: { isStored, offlineSessions: 'unreachable' },
      });
      const message =
        'Signed out, except that OAuth clients keep their refresh tokens until the auth plugin can be reached';
      expect(await post({ userEntityRef: JANE })).toMatchObject(
        errorOf(503, 'ServiceUnavailableError', message),
      );
      expect(revoked).toEqual([[ofJane, { by: SERVICE, problem: message }]]);
    }
  });
});

describe('POST of a user with until', () => {
  const inAnHour = iat + 3660;
  const until = new Date(inAnHour * 1000).toISOString();
  const body = { userEntityRef: JANE, until };

  it('ends the sessions of the next hour, too', async () => {
    const { post, revoked, signOutUser } = await start();
    const answer = await post(body, OPERATOR);
    const ended = { until, offlineSessions: { ended: 2 } };
    expect(answer).toMatchObject({ status: 201 });
    expect(answer.body).toEqual(ended);
    expect(signOutUser.mock.calls).toEqual([[JANE, undefined, inAnHour]]);
    expect(revoked).toEqual([[ofJane, { by: OPERATOR, ...ended }]]);
  });

  it('[P81] is not for a service whose restrictions do not name the permission', async () => {
    const { post, signOutUser } = await start();
    expect((await post(body)).status).toBe(403);
    expect(signOutUser).not.toHaveBeenCalled();
  });

  it('is 409 for operators themselves', async () => {
    const { post, signOutUser } = await start();
    const own = { ...body, userEntityRef: OPERATOR };
    expect(await post(own, OPERATOR)).toMatchObject({
      status: 409,
      body: {
        error: {
          message:
            'Operators can not refuse their own next sign-ins: leave out until',
        },
      },
    });
    expect(signOutUser).not.toHaveBeenCalled();
  });

  it('is 400 for more than a day', async () => {
    const { post, signOutUser } = await start();
    const answer = await post({ ...body, until: '2999-01-01' }, OPERATOR);
    expect(answer).toMatchObject({
      status: 400,
      body: {
        error: {
          message: expect.stringMatching(
            /^until must be in the future, at most 24 hours from now: write 20.*Z or earlier$/,
          ),
        },
      },
    });
    expect(signOutUser).not.toHaveBeenCalled();
  });

  it.each([
    ['GET', `${ROUTE}/locked`],
    ['DELETE', `${ROUTE}/${JANE}`],
  ])('nothing takes it back: %s %s is 404', async (method, target) => {
    const { port } = await start();
    const headers = { Authorization: `Bearer ${OPERATOR}` };
    const url = `http://localhost:${port}${target}`;
    expect((await fetch(url, { method, headers })).status).toBe(404);
  });
});

describe('a caller', () => {
  it.each([
    ['revocation', session],
    ['user', { userEntityRef: JANE }],
  ])('whose session was revoked meanwhile posts no %s', async (_, body) => {
    const { post, revoked } = await start();
    const obo = unsignedToken('vnd.backstage.limited-user', {
      ...session,
      sub: 'user:default/gone',
    });
    const service = unsignedToken('vnd.backstage.plugin', { sub: 'a', obo });
    expect(await post(body, service)).toMatchObject(
      errorOf(401, 'AuthenticationError', 'Invalid credentials'),
    );
    expect(revoked).toEqual([]);
  });

  it('[P19] who is a user ends at most 30 sessions a minute by the route', async () => {
    const { post, revoked } = await start();
    const statuses = [];
    for (let i = 0; i <= LIMITS.user; i += 1) {
      const caller = i % 2 ? JANE : 'user:Default/Jane';
      const { status } = await post({ userEntityRef: JANE }, caller);
      statuses.push(status);
    }
    expect(statuses).toEqual([...Array(LIMITS.user).fill(201), 429]);
    const { status, headers, body } = await post({ userEntityRef: JANE }, JANE);
    const seconds = Number(headers.get('Retry-After'));
    expect(seconds).toBeGreaterThan(30);
    expect(seconds).toBeLessThanOrEqual(60);
    expect({ status, body }).toMatchObject(
      errorOf(
        429,
        'TooManyRequestsError',
        `Too many sign-outs by this caller: try again in ${seconds} s`,
      ),
    );
    expect(revoked).toHaveLength(LIMITS.user);
    const operator = OPERATOR;
    expect((await post({ userEntityRef: JANE }, operator)).status).toBe(201);
    expect((await post({ userEntityRef: JANE })).status).toBe(201);
  });

  it('[P19] that is a service revokes at most 1,000 sessions a minute by the route', async () => {
    const { port, post } = await start();
    const body = JSON.stringify(session);
    const request = (connection: string) =>
      [
        `POST ${ROUTE} HTTP/1.1`,
        'Host: localhost',
        `Connection: ${connection}`,
        `Authorization: Bearer ${SERVICE}`,
        'Content-Type: application/json',
        `Content-Length: ${body.length}`,
        '',
        body,
      ].join('\r\n');
    const answers = await exchangeBytes(
      port,
      Buffer.from(
        request('keep-alive').repeat(LIMITS.service) + request('close'),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual([
      ...Array(LIMITS.service).fill(201),
      429,
    ]);
    expect((await post(session, 'plugin:other')).status).toBe(201);
  });
});
