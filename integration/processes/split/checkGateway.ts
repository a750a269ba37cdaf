import { request } from 'node:http';
import { createGunzip } from 'node:zlib';
import { rawRequest } from '../../../src/__tests__/__testUtils__/rawRequest';
import { Credentials, send, until } from '../../http';
import { expectEqual, Report } from '../../Report';
import { signIn } from './checkCallers';
import { CREDENTIAL_HEADER, forged, HELLO, World } from './World';

const EVENTS = 5;
const EVENT_WITHIN_MS = 1_000;

export async function checkGateway(report: Report, world: World) {
  const { first, second } = world;
  const token = await signIn(world);
  const cookie = `token=${token}`;

  await report.check(
    'what is public behind the gateway needs a rule in both backends',
    async () => {
      const statuses: Record<string, number[]> = {};
      for (const rule of ['at-first', 'at-second', 'at-both']) {
        const path = `/api/hello/public/${rule}`;
        statuses[rule] = [
          (await send(first.port, { path })).status,
          (await send(second.port, { path })).status,
        ];
      }
      expectEqual('through the gateway, and directly', statuses, {
        'at-first': [401, 401],
        'at-second': [401, 200],
        'at-both': [200, 200],
      });
      const { body } = await send(first.port, {
        path: '/api/hello/public/at-both',
        cookie: `${cookie}; other=1`,
      });
      const { authorization, cookie: seen, user } = JSON.parse(body);
      expectEqual(
        'what the handler had of a visitor with the cookie',
        { authorization, seen, user },
        { authorization: null, seen: 'other=1', user: null },
      );
      return JSON.stringify(statuses);
    },
  );

  await report.check(
    'the credential header opens what is behind the gateway, where the token is in Authorization',
    async () => {
      const ask = (headers: Record<string, string>, path = HELLO) =>
        send(first.port, { path, headers });
      const inHeader = { [CREDENTIAL_HEADER]: token };
      for (const others of [
        {} as Record<string, string>,
        { Authorization: 'Basic dTpw' },
      ]) {
        const { status, body } = await ask({ ...inHeader, ...others });
        const { authorization, user } = JSON.parse(body);
        expectEqual(
          'what the handler had',
          { status, authorization, user },
          {
            status: 200,
            authorization: `Bearer ${token}`,
            user: 'user:development/guest',
          },
        );
      }
      const forgedBearer = { Authorization: `Bearer ${forged(token)}` };
      const statuses = [
        await ask({ ...inHeader, ...forgedBearer }),
        await ask({ [CREDENTIAL_HEADER]: `${token}, ${token}` }),
        await ask({ [CREDENTIAL_HEADER]: forged(token), Cookie: cookie }),
        // The gate of the second backend accepts the header, too.
        await send(second.port, { path: HELLO, headers: inHeader }),
      ].map(({ status }) => status);
      expectEqual('statuses', statuses, [401, 401, 401, 200]);
      return JSON.stringify(statuses);
    },
  );

  await report.check(
    'no other spelling of what is public is public behind the gateway',
    async () => {
      const targets = [
        '/api/hello/public/at-bot%68',
        '/api/hell%6F/public/at-both',
        '/api/HELLO/public/at-both',
        '/api/hello//public/at-both',
        '/api/hello/public/../public/at-both',
        '/api/hello/public/at-both/',
        '/api/hello/public/at-both#x',
        '/api/hello\\public/at-both',
        'http://any/api/hello/public/at-both',
      ];
      const statuses: number[] = [];
      for (const target of targets) {
        statuses.push((await rawRequest(first.port, target)).status);
      }
      const post = { method: 'POST', path: '/api/hello/public/at-both' };
      statuses.push((await send(first.port, post)).status);
      expectEqual('statuses', [...new Set(statuses)], [401]);
      return `${statuses.length} of them are 401`;
    },
  );

  await report.check(
    'the gate in front issues the cookie, and the one behind none',
    async () => {
      const fresh = await send(first.port, { path: HELLO, bearer: token });
      expectEqual(
        'the cookies of a first call',
        fresh.setCookies.map(line => line.startsWith(`${cookie};`)),
        [true],
      );
      const older = await world.sign({
        sub: 'user:default/guest',
        iat: Math.floor(Date.now() / 1000) - 60,
      });
      const replaced = await send(first.port, {
        path: HELLO,
        bearer: token,
        cookie: `token=${older}`,
      });
      expectEqual(
        'the cookies in place of an older one',
        replaced.setCookies
          .filter(line => !line.startsWith('token=;'))
          .map(line => line.startsWith(`${cookie};`)),
        [true],
      );
      for (const [credentials, expected] of [
        // A shared cache must not keep an answer that a cookie opened.
        [{ cookie }, 'private, max-age=60'],
        [{ bearer: token, cookie }, 'max-age=60'],
      ] as const) {
        const { headers, setCookies } = await send(first.port, {
          path: HELLO,
          ...credentials,
        });
        expectEqual(
          `with ${Object.keys(credentials)}`,
          { setCookies, cacheControl: headers['cache-control'] },
          { setCookies: [], cacheControl: expected },
        );
      }
      return 'and the directives of the handler stand';
    },
  );

  await report.check(
    "Backstage's own cookie reads TechDocs behind the gateway, and nothing else",
    async () => {
      const limited = await second.ask('limited token', { of: token });
      const stock = `backstage-auth=${limited}`;
      const statuses = [];
      for (const path of [
        '/api/techdocs/static/docs/x.png',
        '/api/techdocs/static/../x',
        '/api/techdocs/x',
        '/api/hello/static/x',
      ]) {
        statuses.push((await send(first.port, { path, cookie: stock })).status);
      }
      expectEqual('statuses', statuses, [200, 401, 401, 401]);
      return 'as where TechDocs is installed';
    },
  );

  for (const [name, credentials, headers, query] of [
    ['a bearer token', { bearer: token }, {}, ''],
    ['the cookie', { cookie }, {}, ''],
    ['the cookie, compressed', { cookie }, { 'Accept-Encoding': 'gzip' }, ''],
    [
      'a bearer token, and no-transform',
      { bearer: token },
      { 'Accept-Encoding': 'gzip' },
      '?cacheControl=no-transform',
    ],
  ] as const) {
    await report.check(
      `an event stream arrives event by event, with ${name}`,
      () => followStream(world, credentials, headers, query),
    );
  }

  await report.check('an event stream needs a credential', async () => {
    const path = '/api/hello/events';
    const { status } = await send(first.port, { path });
    expectEqual('status', status, 401);
    expectEqual('open streams', await second.ask('streams'), 0);
    return 'and none was opened';
  });
}

/** Sends each event when the previous one has arrived: a buffer on the way would hold them back. */
async function followStream(
  { first, second }: World,
  { bearer, cookie }: Credentials,
  headers: Record<string, string>,
  query: string,
): Promise<string> {
  const req = request({
    host: '127.0.0.1',
    port: first.port,
    path: `/api/hello/events${query}`,
    headers: {
      ...headers,
      ...(bearer && { Authorization: `Bearer ${bearer}` }),
      ...(cookie && { Cookie: cookie }),
    },
  });
  let text = '';
  let encoding: string | undefined;
  req.on('response', res => {
    encoding = res.headers['content-encoding'];
    const stream = encoding ? res.pipe(createGunzip()) : res;
    stream.on('data', chunk => {
      text += chunk;
    });
  });
  req.on('error', () => {});
  req.end();
  const times: number[] = [];
  try {
    await until(
      'the stream is open',
      EVENT_WITHIN_MS,
      async () => (await second.ask('streams')) === 1,
    );
    const hasArrived = async (event: number) =>
      text.endsWith(`data: ${event}\n\n`);
    for (let event = 1; event <= EVENTS; event += 1) {
      await second.ask('emit', { event });
      times.push(
        await until(`event ${event}`, EVENT_WITHIN_MS, () => hasArrived(event)),
      );
    }
  } finally {
    await second.ask('end streams');
    req.destroy();
  }
  const slowest = Math.round(Math.max(...times));
  return `${EVENTS} events, the slowest in ${slowest} ms, ${encoding ?? 'not encoded'}`;
}
