import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { AddressInfo, connect, createServer } from 'node:net';
import path from 'node:path';
import timers from 'node:timers/promises';
import type { JsonObject } from '@backstage/types';
import { openPlugin } from '../__testUtils__/recordingPlugin';
import { folderWith, runCli, runCliIn } from '../__testUtils__/runCli';
import { listen, serve } from '../__testUtils__/serve';
import { SignedBackend, signedBackends } from '../__testUtils__/signedBackends';
import { temporaryFolder } from '../__testUtils__/temporaryFolder';

const backends = signedBackends();

const BASE = 'backend: { baseUrl: http://backstage.example.com }\n';
const GATED = `${BASE}auth: { apiGate: {} }\n`;
const PROBE = 'GET /api/api-gate-check';

/** A configuration with expectations. */
const expecting = (...expect: string[]) =>
  `${BASE}auth:
  apiGate:
    allow: [{ plugin: hello, path: /health }]
    expect:
${expect.map(each => `      - { ${each} }\n`).join('')}`;

const checkLive = (text: string, ...args: string[]) =>
  runCliIn(['check', '--live', ...args], {
    cwd: folderWith({ 'app-config.yaml': text }),
  });

/** Returns the lines about the running backend. */
const linesOf = ({ stdout }: { stdout: string }) =>
  stdout.slice(stdout.indexOf('Sends ')).trimEnd().split('\n').slice(1);

/** The gate's own answer to a request without a credential. */
const REFUSAL = {
  headers: {
    'Content-Type': 'application/json',
    'WWW-Authenticate': 'Bearer realm="Backstage"',
    'Api-Gate-Decision': 'abc',
  },
  body: {
    error: { name: 'AuthenticationError', message: 'Missing credentials' },
    response: { statusCode: 401 },
  },
};

/** Answers as the gate does, except for what is changed. */
const refuse = (
  res: ServerResponse,
  headers: Record<string, string | undefined> = {},
  body: unknown = REFUSAL.body,
) => {
  const all = Object.entries({ ...REFUSAL.headers, ...headers });
  all.forEach(([name, value]) => value && res.setHeader(name, value));
  res.writeHead(401).end(JSON.stringify(body));
};

/** Starts a server that gives each connection to the next of some ports. */
async function balance(ports: number[]): Promise<string> {
  let connections = 0;
  const balancer = createServer(socket => {
    const port = ports[connections % ports.length];
    connections += 1;
    const replica = connect(port, 'localhost');
    socket.on('error', () => replica.destroy()).pipe(replica);
    replica.on('error', () => socket.destroy()).pipe(socket);
  });
  await new Promise<void>(resolve => {
    balancer.listen(0, 'localhost', resolve);
  });
  balancer.unref();
  return `http://localhost:${(balancer.address() as AddressInfo).port}`;
}

const startReplica = (withGate: boolean, apiGate: JsonObject = {}) =>
  backends.start({
    withGate,
    features: [openPlugin('hello').feature],
    apiGate: { allow: [{ plugin: 'hello', path: '/health' }], ...apiGate },
  });

// Only one test measures the pauses between requests.
beforeEach(() => jest.spyOn(timers, 'setTimeout').mockResolvedValue(undefined));
afterEach(() => jest.restoreAllMocks());

describe('[P72] api-gate check --live', () => {
  let gated: SignedBackend;
  let ungated: SignedBackend;
  beforeAll(async () => {
    gated = await startReplica(true);
    ungated = await startReplica(false);
  });

  it('exits with 0 where the gate is there, and asks what expectations a GET or HEAD request can show', async () => {
    const text = expecting(
      'request: GET /api/hello/health, is: public',
      'request: HEAD /api/hello/health, is: public',
      'request: GET /api/hello, is: closed',
      'request: HEAD /api/hello/secret, is: closed',
      'request: POST /api/hello/health, is: closed',
      'request: WEBSOCKET /api/hello/health, is: closed',
      'plugin: auditlog, is: closed',
    ).concat(
      "discovery: { endpoints: [{ target: 'http://elsewhere/api/{{pluginId}}', plugins: [auditlog] }] }\n",
    );
    const result = await checkLive(text, gated.url);
    expect(linesOf(result)).toEqual([
      'Not asked, since only GET and HEAD of one path are sent: POST /api/hello/health, WEBSOCKET /api/hello/health, the plugin auditlog',
      `${PROBE} answers 401 from the gate (all of 20 requests)`,
      '4 of 4 expectations that were asked hold there',
    ]);
    expect(result.stdout).toContain(
      `\nSends 26 requests without a credential to ${gated.url}, two a second, for about 13 seconds\n`,
    );
    expect(result).toMatchObject({
      code: 0,
      stderr: 'Read app-config.yaml\nauth.apiGate.mode is enforce\n',
    });
  });

  it('names the requests that a replica without the gate has answered, and asks no expectation then', async () => {
    const url = await balance([gated.port, gated.port, ungated.port]);
    const text = expecting('request: GET /api/hello/secret, is: closed');
    const result = await checkLive(text, url, '--times', '7');
    expect(linesOf(result)).toEqual([
      `${PROBE} answers 401 from the gate (5 of 7 requests: 1, 2, 4, 5, 7)`,
      `error: ${PROBE} answers 404: the gate is missing, or in report-only (2 of 7 requests: 3, 6)`,
      'No expectation is asked where the gate may be missing',
    ]);
    expect(result.code).toBe(1);
  });

  it('exits with 1 in report-only', async () => {
    const replica = await startReplica(true, { mode: 'report-only' });
    const result = await checkLive(BASE, replica.url, '--times', '1');
    expect(linesOf(result)[0]).toContain(
      'error: GET /api/api-gate-check answers 404: the gate is missing, or in report-only',
    );
    expect(result.code).toBe(1);
  });

  it('exits with 1 where the running backend opens what must be closed, or closes what must be public', async () => {
    const open = 'request: GET /api/hello/other, is: public';
    const withOther = (...expect: string[]) =>
      expecting(...expect).replace('path: /health', 'path: /other');
    const text = withOther(open, 'request: GET /api/hello/health, is: closed');
    const result = await checkLive(text, gated.url, '--times', '1');
    expect(linesOf(result).slice(1)).toEqual([
      'error: app-config.yaml:6: auth.apiGate.expect[0]: GET /api/hello/other should be public, and answers 401 from the gate',
      'error: app-config.yaml:7: auth.apiGate.expect[1]: GET /api/hello/health should be closed, and answers 200: something else answers for it',
      '0 of 2 expectations that were asked hold there',
    ]);
    expect(result.code).toBe(1);
    const closed = await checkLive(withOther(open), gated.url, '--times', '1');
    expect(closed.code).toBe(1);
  });

  it('finds a misspelt plugin in an expectation without a token', async () => {
    const text = expecting('plugin: helo, is: closed');
    const result = await checkLive(
      text,
      gated.url,
      ...['--times', '1', '--format', 'github'],
    );
    expect(result.stdout).toContain(
      `::error file=app-config.yaml,line=6,title=API gate::auth.apiGate.expect[0].plugin names the plugin helo, which is not installed at ${gated.url}: correct the id, or remove the expectation until the plugin is installed\n`,
    );
    expect(result.code).toBe(1);
  });
});

describe('[P72] the requests of api-gate check --live', () => {
  const seen: { req: IncomingMessage; body: string }[] = [];
  let answer: RequestListener;
  let url: string;
  beforeAll(async () => {
    ({ url } = await serve((req, res) => {
      const entry = { req, body: '' };
      seen.push(entry);
      req.on('data', chunk => {
        entry.body += chunk;
      });
      req.on('end', () => answer(req, res));
    }));
  });
  beforeEach(() => {
    seen.length = 0;
    answer = (_req, res) => refuse(res);
  });

  it('are GET and HEAD without a credential and a body, at most two a second, each over a new connection, below the path of the address', async () => {
    jest.restoreAllMocks();
    const sentAt: number[] = [];
    const { fetch: send } = globalThis;
    jest.spyOn(globalThis, 'fetch').mockImplementation((...args) => {
      sentAt.push(Date.now());
      return send(...args);
    });
    const text = expecting(
      'request: HEAD /api/hello/secret, is: closed',
      'request: DELETE /api/hello/secret, is: closed',
      'request: GET /api/hello, is: closed',
      'request: GET /api/hello/health, is: public',
      'plugin: catalog, is: closed',
    );
    answer = ({ url: target }, res) =>
      /jwks|health/.test(target!) ? res.writeHead(200).end() : refuse(res);
    const result = await checkLive(text, `${url}/portal/`, '--times', '3');
    expect(seen.map(({ req }) => `${req.method} ${req.url}`)).toEqual([
      ...Array(3).fill(
        expect.stringMatching(/^GET \/portal\/api\/api-gate-check\?\S{36}$/),
      ),
      'GET /portal/api/auth/.backstage/auth/v1/jwks.json',
      'GET /portal/api/hello/.backstage/auth/v1/jwks.json',
      'GET /portal/api/catalog/.backstage/auth/v1/jwks.json',
      'HEAD /portal/api/hello/secret',
      'GET /portal/api/hello',
      'GET /portal/api/hello/health',
    ]);
    expect(new Set(seen.map(({ req }) => req.url)).size).toBe(9);
    expect(new Set(seen.map(({ req }) => req.socket)).size).toBe(9);
    for (const {
      req: { headers },
      body,
    } of seen) {
      expect(Object.keys(headers).sort()).toEqual([
        'accept',
        'accept-encoding',
        'accept-language',
        'connection',
        'host',
        'sec-fetch-mode',
        'user-agent',
      ]);
      expect(body).toBe('');
    }
    expect(sentAt).toHaveLength(9);
    for (const [i, at] of sentAt.slice(1).entries()) {
      // A timer may fire a millisecond early.
      expect(at - sentAt[i]).toBeGreaterThanOrEqual(490);
    }
    expect(result.code).toBe(0);
  });

  it('hold no variable that is not set', async () => {
    const text = expecting(
      "request: 'GET /api/hello/${NAME}', is: closed",
      "plugin: '${PLUGIN}', is: closed",
    );
    const result = await checkLive(text, url, '--mock-env', '--times', '1');
    expect(linesOf(result)[0]).toMatch(
      /^Not asked, since they hold variables that are not set: GET \/api\/hello\/\$\{NAME\}, the plugin \$\{PLUGIN\}/,
    );
    expect(seen).toHaveLength(1);
    expect(result.code).toBe(0);
  });

  it.each<[string, RequestListener, string]>([
    [
      'an ingress that answers 401 to everything',
      (_req, res) =>
        res
          .writeHead(401, { 'WWW-Authenticate': 'Basic realm="Staging"' })
          .end('<h1>401</h1>'),
      'answers 401 without Api-Gate-Decision and WWW-Authenticate: Bearer realm="Backstage" and Backstage\'s JSON: something else answers for it, or removes these from the gate\'s answer',
    ],
    [
      'a proxy that removes headers',
      (_req, res) =>
        refuse(res, {
          'Api-Gate-Decision': undefined,
          'WWW-Authenticate': undefined,
        }),
      'answers 401 without Api-Gate-Decision and WWW-Authenticate: Bearer realm="Backstage": something else',
    ],
    [
      'a plugin of Backstage that has a credentials barrier',
      (_req, res) => refuse(res, { 'Api-Gate-Decision': undefined }),
      'answers 401 without Api-Gate-Decision: something else',
    ],
    [
      'a realm that only begins with that of Backstage',
      (_req, res) =>
        refuse(res, { 'WWW-Authenticate': 'Bearer realm="Backstage2"' }),
      'answers 401 without WWW-Authenticate',
    ],
    [
      'a page in place of the body',
      (_req, res) => refuse(res, {}, '<h1>Please sign in</h1>'),
      "answers 401 without Backstage's JSON: something else",
    ],
    [
      'a page for everything',
      (_req, res) => res.writeHead(200).end('<html></html>'),
      'answers 200: something else answers for it',
    ],
    [
      'a firewall',
      (_req, res) => res.writeHead(403).end(),
      'answers 403: something else answers for it',
    ],
  ])('find %s', async (_, listener, text) => {
    answer = listener;
    const result = await checkLive(BASE, url, '--times', '2');
    expect(linesOf(result)[0]).toContain(`error: ${PROBE} ${text}`);
    expect(result.code).toBe(1);
  });

  it.each<[string, RequestListener, string]>([
    [
      'a redirect, which they do not follow',
      (_req, res) =>
        res
          .writeHead(302, { Location: `${url}/login?secret=in-the-query` })
          .end(),
      'answers 302, which is not followed: give the address that it leads to',
    ],
    [
      'a bad gateway',
      (_req, res) => res.writeHead(502).end(),
      'answers 502: ask again once the backend is up',
    ],
    [
      'a limit of the rate',
      (_req, res) => res.writeHead(429).end(),
      'answers 429: ask again once the backend is up',
    ],
    [
      'a server that closes the connection',
      req => req.socket.destroy(),
      'it does not answer in HTTP there: check the scheme and the port',
    ],
  ])('stop with 2 at %s', async (_, listener, text) => {
    answer = listener;
    const { code, stderr } = await checkLive(BASE, url);
    expect(stderr).toMatch(`error: ${PROBE} `);
    expect(stderr).toContain(text);
    expect(stderr).not.toContain('in-the-query');
    expect([code, seen.length]).toEqual([2, 1]);
  });

  it.each<[string, RequestListener]>([
    ['nothing', () => {}],
    ['a body that does not end', (_req, res) => res.writeHead(401).write('{')],
  ])('stop with 2 at a server that sends %s in time', async (_, listener) => {
    const { timeout } = AbortSignal;
    jest
      .spyOn(AbortSignal, 'timeout')
      .mockImplementation(ms => timeout.call(AbortSignal, ms / 50));
    answer = listener;
    const { code, stderr } = await checkLive(BASE, url);
    expect(stderr).toContain('it gave no answer within 10 seconds');
    expect([code, seen.length]).toEqual([2, 1]);
  });

  it('go on where a later one has no answer, and exit with 1 if another answer is not from the gate', async () => {
    let requests = 0;
    const answers: RequestListener[] = [
      (_req, res) => refuse(res),
      req => req.socket.destroy(),
      (_req, res) => res.writeHead(503).end(),
    ];
    answer = (req, res) => {
      answers[requests % answers.length](req, res);
      requests += 1;
    };
    const some = await checkLive(GATED, url, '--times', '6');
    expect(linesOf(some)).toEqual([
      `${PROBE} answers 401 from the gate (2 of 6 requests: 1, 4)`,
      `error: ${PROBE} has no answer: ${url} can not be asked: it does not answer in HTTP there: check the scheme and the port (2 of 6 requests: 2, 5)`,
      `error: ${PROBE} answers 503: ask again once the backend is up (2 of 6 requests: 3, 6)`,
      'No expectation is asked where the gate may be missing',
    ]);
    expect(some.code).toBe(2);
    answers.push((_req, res) => res.writeHead(404).end());
    requests = 0;
    const missing = await checkLive(GATED, url, '--times', '100');
    expect(linesOf(missing)[3]).toMatch(
      /\(25 of 100 requests: 4, 8, .*, 96, 100\)$/,
    );
    expect(missing.code).toBe(1);
  });

  it.each<[string, RequestListener, number, RegExp]>([
    [
      'exit with 2 where the answer to an expectation shows nothing',
      (_req, res) => res.writeHead(502).end(),
      2,
      /closed, and answers 502: ask again once the backend is up$/,
    ],
    [
      'exit with 2 where an expectation has no answer',
      req => req.socket.destroy(),
      2,
      /closed, and has no answer: /,
    ],
    [
      'show that a closed path is open where it redirects',
      (_req, res) => res.writeHead(302, { Location: '/login' }).end(),
      1,
      /closed, and answers 302$/,
    ],
  ])('%s', async (_, listener, code, text) => {
    answer = (req, res) =>
      /secret/.test(req.url!) ? listener(req, res) : refuse(res);
    const expectation = 'request: GET /api/hello/secret, is: closed';
    const result = await checkLive(expecting(expectation), url, '--times', '1');
    const [, line] = linesOf(result);
    expect(line).toContain('expect[0]: GET /api/hello/secret should be closed');
    expect(line).toMatch(text);
    expect(result.code).toBe(code);
  });

  it('take no plugin for missing where a proxy hides the keys of all', async () => {
    answer = ({ url: target }, res) =>
      /jwks/.test(target!) ? res.writeHead(404).end() : refuse(res);
    const text = expecting('plugin: catalog, is: closed');
    const result = await checkLive(text, url, '--times', '1');
    expect(linesOf(result)).toContain(
      'The plugins of expectations are not asked for, since the keys of the plugin auth are not found',
    );
    expect([result.code, seen.length]).toEqual([0, 2]);
  });

  it('do not hide an expectation that does not hold in the configuration', async () => {
    const text = expecting('request: GET /api/hello/health, is: closed');
    const result = await checkLive(text, url, '--times', '1');
    expect(result.stdout).toContain('0 of 1 expectations hold, 0 findings\n');
    expect(result.code).toBe(1);
  });

  it.each(['0', '1001', '1.5', ''])('are not sent %s times', async times => {
    const { code, stderr } = await checkLive(BASE, url, '--times', times);
    expect(stderr).toContain(
      'error: --times must be a whole number from 1 to 1000',
    );
    expect([code, seen.length]).toEqual([2, 0]);
  });

  it.each(['ftp://localhost', ''])('are not sent to %j', async address => {
    const { code, stderr } = await checkLive(BASE, address);
    expect(stderr).toContain('must begin with https:// or http://');
    expect(code).toBe(2);
  });

  it('need --live for --times', async () => {
    const { code, stderr } = await runCliIn(['check', '--times', '3'], {
      cwd: folderWith({ 'app-config.yaml': BASE }),
    });
    expect(stderr).toContain(
      '--times belongs to --live: give both, or neither',
    );
    expect(code).toBe(2);
  });
});

describe('[P72] a private authority', () => {
  const folder = temporaryFolder();

  it('is trusted by NODE_EXTRA_CA_CERTS, and by nothing else', async () => {
    const file = (name: string) => path.join(folder, name);
    const openssl = (...args: string[]) =>
      execFileSync('openssl', args, { stdio: 'pipe', cwd: folder });
    const request = ['req', '-newkey', 'rsa:2048', '-nodes', '-days', '2'];
    openssl(
      ...[...request, '-x509', '-subj', '/CN=Example authority'],
      ...['-keyout', 'authority.key', '-out', 'authority.pem'],
    );
    openssl(
      ...[...request, '-x509', '-subj', '/CN=localhost'],
      ...['-CA', 'authority.pem', '-CAkey', 'authority.key'],
      ...['-addext', 'subjectAltName=DNS:localhost'],
      ...['-addext', 'basicConstraints=critical,CA:FALSE'],
      ...['-keyout', 'server.key', '-out', 'server.pem'],
    );
    const server = createHttpsServer(
      {
        key: readFileSync(file('server.key')),
        cert: readFileSync(file('server.pem')),
      },
      (_req, res) => refuse(res),
    );
    const { port, stop } = await listen(server);
    const url = `https://localhost:${port}`;
    const cwd = folderWith({ 'app-config.yaml': GATED });
    const args = ['check', '--live', url, '--times', '2'];
    const refused = await runCli(args, { cwd });
    const trusted = await runCli(args, {
      cwd,
      env: { NODE_EXTRA_CA_CERTS: file('authority.pem') },
    });
    stop();
    expect(refused.stderr).toContain(
      `${url} can not be asked: its TLS certificate is not trusted here: set NODE_EXTRA_CA_CERTS to the file of your certificate authority`,
    );
    expect(refused.code).toBe(2);
    expect(linesOf(trusted)[0]).toBe(
      `${PROBE} answers 401 from the gate (all of 2 requests)`,
    );
    expect(trusted.code).toBe(0);
  });
});
