import { generateKeyPairSync } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { JsonObject } from '@backstage/types';
import { parse } from 'yaml';
import { codeBlocks } from '../__testUtils__/documents';
import { createForge, ecdsa } from '../__testUtils__/forge';
import { flakyDatabase } from '../__testUtils__/flakyDatabase';
import { openPlugin, recordingPlugin } from '../__testUtils__/recordingPlugin';
import {
  bearer,
  cookie,
  COOKIE_ENDPOINT,
  now,
  SAME_ORIGIN,
} from '../__testUtils__/requestParts';
import { signedBackends } from '../__testUtils__/signedBackends';
import { freePort } from '../__testUtils__/freePort';
import { discovery } from '../__testUtils__/startBackend';
import { until } from '../__testUtils__/until';

// These tests show that no fault around the gate opens a route. Faults of a start, of a database that is lost later, of split
// backends and of extensions are in their own files too: starting, session, split, cookieIssuance.

// Goes in August 2027: releases before September 2026 fetch the keys of users again for each unknown key.
const { API_GATE_TEST_RELEASE: release = '2026-11' } = process.env;
const describeOnCoolDown = release >= '2026-09' ? describe : describe.skip;

const backends = signedBackends();
afterEach(() => jest.restoreAllMocks());
afterEach(backends.stopAll);

const TARGET = '/api/hello/x';

/** Lets time pass for Backstage and for the gate. */
function passTime(milliseconds: number) {
  for (const clock of [Date, performance]) {
    const realNow = clock.now.bind(clock);
    jest.spyOn(clock, 'now').mockImplementation(() => realNow() + milliseconds);
  }
}

/** Makes a key of an `auth` plugin. */
function createKey(kid: string) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
  });
  return {
    jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256' },
    sign: (iss: string, name: string) =>
      createForge(backends.key, iss).token({
        header: { kid },
        claims: { sub: `user:default/${name}` },
        signer: ecdsa(privateKey),
      }),
  };
}

describe('[P7] the key endpoint of auth', () => {
  /** Starts a backend whose `auth` is elsewhere: a server that has keys only, and no revoked sessions, or nowhere. */
  async function startWithKeysFrom(respond?: (res: ServerResponse) => void) {
    const port = respond
      ? await backends.serve(({ url }, res) => {
          if (url!.endsWith('/jwks.json')) {
            respond(res);
          } else if (url === '/login') {
            res.end('{"keys":[{}]}');
          } else {
            res.end('{"revocations":[]}');
          }
        })
      : await freePort();
    const hello = openPlugin('hello');
    const { get, log } = await backends.start({
      withAuth: false,
      features: [hello.feature],
      config: discovery(port, 'auth'),
    });
    return {
      get: (...headerLines: string[]) => get(TARGET, ...headerLines),
      log,
      handled: hello.handled,
      iss: `http://localhost:${port}/api/auth`,
    };
  }

  it.each<[string, ((res: ServerResponse) => void) | undefined]>([
    ['is unreachable', undefined],
    ['fails', res => res.writeHead(500).end('{}')],
    ['answers something else', res => res.end('<html>')],
    ['has no keys', res => res.end('{"keys":[]}')],
    ['sends nothing', () => {}],
    [
      'goes silent after its headers',
      res =>
        res
          .writeHead(200, { 'Content-Type': 'application/json' })
          .flushHeaders(),
    ],
    ['gives JSON without keys', res => res.end('{}')],
    ['gives keys that are no list', res => res.end('{"keys":{}}')],
    ['gives a list of what is no key', res => res.end('{"keys":[null]}')],
    [
      'breaks off',
      res => {
        res.writeHead(200, { 'Content-Length': 100 });
        res.write('{"keys":[', () => res.destroy());
      },
    ],
    ['is not there', res => res.writeHead(404).end()],
    [
      'leads elsewhere',
      res => res.writeHead(302, { Location: '/login' }).end(),
    ],
  ])('%s: 503 for a token, 401 for none', async (_, respond) => {
    // Backstage waits for 5 s, then the gate for 3 s.
    const { timeout } = AbortSignal;
    jest
      .spyOn(AbortSignal, 'timeout')
      .mockImplementation(milliseconds => timeout(milliseconds / 20));
    const { get, handled, iss } = await startWithKeysFrom(respond);
    const token = await backends.key.sign({ iss });
    for (const headerLine of [bearer(token), cookie(token)]) {
      const { status, headers } = await get(headerLine);
      expect([status, headers['retry-after']]).toEqual([503, '5']);
      expect(headers['set-cookie']).toBeUndefined();
    }
    expect((await get()).status).toBe(401);
    expect(handled).toHaveLength(0);
  });

  it('rotates keys: a new one is accepted at once, an old one while it is published, and none longer than it is cached', async () => {
    const [old, other] = [createKey('old'), createKey('new')];
    let served = [old.jwk];
    const { get, iss } = await startWithKeysFrom(res =>
      res.end(JSON.stringify({ keys: served })),
    );
    const seen = old.sign(iss, 'seen');
    await until(async () => (await get(bearer(seen))).status === 200);

    served = [old.jwk, other.jwk];
    const current = other.sign(iss, 'current');
    expect((await get(bearer(current))).status).toBe(200);
    expect((await get(bearer(seen))).status).toBe(200);
    const unseen = old.sign(iss, 'unseen');
    expect((await get(cookie(unseen))).status).toBe(200);

    served = [other.jwk];
    // Backstage keeps keys for ten minutes, the gate keeps a token for 30 s.
    passTime((10 * 60 + 30) * 1000);
    for (const headerLine of [
      bearer(seen),
      cookie(seen),
      bearer(old.sign(iss, 'late')),
    ]) {
      const { status, headers } = await get(headerLine);
      expect(status).toBe(401);
      expect(headers['set-cookie'] !== undefined).toBe(
        headerLine.startsWith('Cookie'),
      );
    }
    expect((await get(bearer(current))).status).toBe(200);
  });

  describeOnCoolDown('on a release that waits', () => {
    it('[P55] rotates keys within the time in which Backstage fetches none: a new one is 503 until then, and a forged token of an old one 401', async () => {
      const [old, other] = [createKey('old'), createKey('new')];
      let served = [old.jwk];
      const { get, handled, log, iss } = await startWithKeysFrom(res =>
        res.end(JSON.stringify({ keys: served })),
      );
      const forged = (kid: string, name: string) =>
        bearer(createKey(kid).sign(iss, name));
      const seen = bearer(old.sign(iss, 'seen'));
      await until(async () => (await get(seen)).status === 200);
      expect((await get(forged('old', 'a'))).status).toBe(401);
      // Backstage fetches keys ten times a minute in spite of its cool-down.
      for (let i = 0; i < 12; i += 1) {
        expect((await get(forged(`key-${i}`, 'b'))).status).toBe(401);
      }

      served = [old.jwk, other.jwk];
      // The gate keeps the keys for a second.
      await new Promise(resolve => setTimeout(resolve, 1_100));
      const token = other.sign(iss, 'current');
      for (const headerLine of [bearer(token), cookie(token)]) {
        const { status, headers } = await get(headerLine);
        expect([status, headers['retry-after']]).toEqual([503, '5']);
        expect(headers['set-cookie']).toBeUndefined();
      }
      expect((await get(forged('old', 'c'))).status).toBe(401);
      expect((await get(forged('made-up', 'c'))).status).toBe(401);
      expect((await get(seen)).status).toBe(200);
      expect(handled).toHaveLength(2);
      expect(log.map(({ meta }) => meta)).toContainEqual(
        expect.objectContaining({
          reason: 'keys-unavailable',
          detail: 'new-key',
        }),
      );

      passTime(31_000);
      for (const headerLine of [bearer(token), cookie(token)]) {
        expect((await get(headerLine)).status).toBe(200);
      }
      for (const kid of ['old', 'new']) {
        expect((await get(forged(kid, 'd'))).status).toBe(401);
      }
    });
  });
});

describe('keys that can not be fetched', () => {
  it('are logged with the address that was asked, and are there with the remedy of docs/troubleshooting.md', async () => {
    const asked: string[] = [];
    const broken = await backends.serve((req, res) => {
      asked.push(`http://${req.headers.host}${req.url}`);
      res.writeHead(502).end();
    });
    const [remedy] = codeBlocks('yaml').filter(
      ({ file, text }) =>
        file === 'docs/troubleshooting.md' && text.startsWith('discovery:'),
    );
    const configFor = (port: number): JsonObject =>
      parse(remedy.text.replace('7007', String(port)));
    const start = (port: number, keysPort: number) =>
      backends.start({
        port,
        features: [recordingPlugin('hello').feature],
        config: configFor(keysPort),
      });
    const port = await freePort();
    const { logged, sign, statusOf, stop } = await start(port, broken);
    const token = await sign();
    expect(await statusOf(TARGET, bearer(token))).toBe(503);
    const lines = logged('can not fetch keys', 'warn');
    expect(lines).toHaveLength(1);
    const [address] = lines[0].message.match(/http:\S+json/)!;
    expect(address).toContain(`:${broken}/`);
    expect(asked).toContain(address);
    expect(lines[0].message).toContain(': it answers 502.');
    await stop();

    const healed = await start(port, port);
    expect(await healed.statusOf(TARGET, bearer(token))).toBe(200);
    expect(healed.logged('can not fetch keys')).toEqual([]);
  });
});

describe('[P4] a plugin whose init throws', () => {
  it('is closed to everyone, its allow rules too, and the others go on', async () => {
    const hello = openPlugin('hello');
    const failing = openPlugin('failing', {
      init: () => {
        throw new Error('init failed');
      },
    });
    const { sign, statusOf } = await backends.start({
      features: [hello.feature, failing.feature],
      config: {
        backend: {
          lifecycle: { startupRequestPauseTimeout: { milliseconds: 100 } },
          startup: {
            plugins: { failing: { onPluginBootFailure: 'continue' } },
          },
        },
      },
      apiGate: { allow: [{ plugin: 'failing', path: '/public' }] },
    });
    const token = await sign();
    for (const headerLines of [
      [],
      [bearer(token)],
      [cookie(token)],
      [bearer(await hello.tokenFor('failing'))],
    ]) {
      for (const path of ['/x', '/public']) {
        const status = await statusOf(`/api/failing${path}`, ...headerLines);
        expect([headerLines.length, path, status]).toEqual([
          headerLines.length,
          path,
          503,
        ]);
      }
    }
    expect(failing.handled).toHaveLength(0);
    expect(await statusOf(TARGET)).toBe(401);
    expect(await statusOf(TARGET, bearer(token))).toBe(200);
  });
});

describe('a database that is gone at the start', () => {
  it('stops the start, as without the gate', async () => {
    for (const withGate of [true, false]) {
      await expect(
        backends.start({
          withGate,
          features: [flakyDatabase({ isUnreachable: true }).feature],
        }),
      ).rejects.toThrow('the database is gone');
    }
  });

  it('[P7] lets no user in where the start goes on without it', async () => {
    const hello = openPlugin('hello');
    const service = recordingPlugin('service');
    const backend = await backends.start({
      features: [
        flakyDatabase({ isUnreachable: true }).feature,
        hello.feature,
        service.feature,
      ],
      config: {
        backend: {
          lifecycle: { startupRequestPauseTimeout: { milliseconds: 100 } },
          startup: {
            default: {
              onPluginBootFailure: 'continue',
              onPluginModuleBootFailure: 'continue',
            },
          },
        },
      },
    });
    const { get, statusOf } = backend;
    const token = await backend.sign();
    for (const { status, headers } of [
      await get(TARGET, bearer(token)),
      await get(TARGET, cookie(token)),
      await backend.signOut(cookie(token)),
    ]) {
      expect([status, headers['retry-after']]).toEqual([503, '5']);
      expect(headers['set-cookie']).toBeUndefined();
    }
    expect(await statusOf(TARGET)).toBe(401);
    expect(hello.handled).toHaveLength(0);
    const serviceToken = await service.tokenFor('hello');
    expect(await statusOf(TARGET, bearer(serviceToken))).toBe(200);
  });

  it('lets users in once the revoked sessions can be read', async () => {
    const database = flakyDatabase();
    database.isGone = true;
    const hello = openPlugin('hello');
    const service = recordingPlugin('service');
    const backend = await backends.start({
      features: [database.feature, hello.feature, service.feature],
      apiGate: { allow: [{ plugin: 'hello', path: '/open' }] },
    });
    const { get, statusOf } = backend;
    const [token, leaves] = await Promise.all(
      ['user:default/stays', 'user:default/leaves'].map(sub =>
        backend.sign({ sub, iat: now() - 10 }),
      ),
    );
    for (const headerLine of [bearer(token), cookie(token)]) {
      const { status, headers } = await get(TARGET, headerLine);
      expect([status, headers['retry-after']]).toEqual([503, '5']);
      expect(headers['set-cookie']).toBeUndefined();
    }
    expect(await statusOf(TARGET)).toBe(401);
    // The handler of a public path may read the token, too.
    expect(await statusOf('/api/hello/open', bearer(token))).toBe(503);
    expect((await backend.signOut(cookie(leaves))).status).toBe(503);
    expect(hello.handled).toHaveLength(0);
    // A token that belongs to no session needs no list.
    const serviceToken = await service.tokenFor('hello');
    expect(await statusOf(TARGET, bearer(serviceToken))).toBe(200);

    database.isGone = false;
    await until(async () => (await statusOf(TARGET, bearer(token))) === 200);
    expect(await statusOf('/api/hello/open', bearer(token))).toBe(200);
    expect(await statusOf(TARGET, bearer(leaves))).toBe(401);
    expect(await statusOf('/api/hello/open', bearer(leaves))).toBe(401);
  });
});

describe('a backend that stops', () => {
  /** Opens a connection with an incomplete request, so that a stop waits for it. */
  async function begin(port: number, ...lines: string[]) {
    const socket = connect(port, 'localhost');
    let answer = '';
    socket.on('data', chunk => {
      answer += chunk.toString('latin1');
    });
    const closed = new Promise(resolve => {
      socket.once('close', resolve);
    });
    await new Promise<void>(resolve => {
      socket.write(`${lines.join('\r\n')}\r\n`, () => resolve());
    });
    return {
      /** Sends the end of the request, and returns the answer. */
      async end() {
        socket.write('Host: localhost\r\nConnection: close\r\n\r\n');
        await closed;
        return answer;
      },
    };
  }

  it('answers 503 with Retry-After to later requests, a sign-out too', async () => {
    const hello = openPlugin('hello');
    const { port, sign, statusOf, stop } = await backends.start({
      features: [hello.feature],
    });
    const token = await sign();
    const requests = [
      await begin(port, 'GET /api/hello/x HTTP/1.1', bearer(token)),
      await begin(port, 'GET /api/hello/x HTTP/1.1', cookie(token)),
      await begin(port, 'GET /api/hello/x HTTP/1.1'),
      // The sign-out has ended nothing, so the browser must keep the cookie.
      await begin(
        port,
        `DELETE /api/hello${COOKIE_ENDPOINT} HTTP/1.1`,
        cookie(token),
        SAME_ORIGIN,
      ),
    ];
    // The server has accepted the connections by then.
    expect(await statusOf(TARGET, bearer(token))).toBe(200);

    const stopped = stop();
    await until(() =>
      statusOf(TARGET).then(
        () => false,
        () => true,
      ),
    );
    for (const request of requests) {
      const answer = await request.end();
      expect(answer).toMatch(/^HTTP\/1.1 503 /);
      expect(answer).toMatch(/^Retry-After: 5\r$/m);
      expect(answer).not.toMatch(/^Set-Cookie:/im);
    }
    await stopped;
    expect(hello.handled).toHaveLength(1);
  });
});
