import { execFileSync } from 'node:child_process';
import { ConfigReader } from '@backstage/config';
import proxyPlugin from '@backstage/plugin-proxy-backend';
import type { JsonObject } from '@backstage/types';
import { parse } from 'yaml';
import { readApiGateConfig } from '../../../settings/read/readApiGateConfig';
import { BrowserCookies } from '../../__testUtils__/browserCookies';
import {
  blocksAfter,
  codeIn,
  readDocument,
  root,
  tableRows,
} from '../../__testUtils__/documents';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { bearer, cookie, from } from '../../__testUtils__/requestParts';
import { folderWith } from '../../__testUtils__/runCli';
import { describeWithCurl, runShell } from '../../__testUtils__/runShell';
import {
  SignedBackendOptions,
  signedBackends,
} from '../../__testUtils__/signedBackends';

const PAGE = 'docs/browsers-and-cookies.md';

const backends = signedBackends();
afterEach(backends.stopAll);

const gateOf = (heading: string): JsonObject =>
  parse(blocksAfter(PAGE, heading)[0]).auth.apiGate;

async function start(options: SignedBackendOptions = {}) {
  const backend = await backends.start({
    ...options,
    features: [recordingPlugin('hello').feature, ...(options.features ?? [])],
  });
  const token = await backend.sign();
  const setCookie = async () =>
    (await backend.get('/api/hello/x', bearer(token))).headers['set-cookie'];
  return { ...backend, token, setCookie };
}

/** Guests who can't sign in: the life of the cookie is then that of the token. */
const WITHOUT_GUESTS = {
  auth: { providers: { guest: { dangerouslyAllowOutsideDevelopment: false } } },
};

describe(`${PAGE}: the settings`, () => {
  it('has a name that keeps the cookie to one host, on https', async () => {
    const apiGate = gateOf('The cookie');
    const config = { backend: { baseUrl: 'https://backstage.example.com' } };
    const { key } = backends;
    const sign = () =>
      key.sign({ iss: 'https://backstage.example.com/api/auth' });
    const cookies = new BrowserCookies();
    const { get } = await start({ apiGate, config });
    const { headers } = await get('/api/hello/x', bearer(await sign()));
    const set = headers['set-cookie']!.split('\n').at(-1)!;
    expect(set).toMatch(/^__Host-token=.*; Path=\/; .*Secure/);
    cookies.store('https://backstage.example.com/', [set]);
    for (const [url, isSent] of [
      ['https://backstage.example.com/api/hello/x', true],
      ['https://other.example.com/', false],
      ['http://backstage.example.com/', false],
    ] as const) {
      expect(cookies.headerFor(url) !== undefined).toBe(isSent);
    }
  });

  it('has a life of the cookie that is shorter than that of the token', async () => {
    for (const [apiGate, isShorter] of [
      [{}, false],
      [gateOf('How long it lives'), true],
    ] as const) {
      const { setCookie } = await start({ apiGate, config: WITHOUT_GUESTS });
      expect(/Max-Age=900;/.test((await setCookie())!)).toBe(isShorter);
    }
  });

  it('has an origin that is trusted', async () => {
    const apiGate = gateOf('Pages of other sites');
    const [origin] = (apiGate as any).cookie.trustedOrigins;
    for (const [settings, expected] of [
      [{}, 403],
      [apiGate, 200],
    ] as const) {
      const { request, token } = await start({ apiGate: settings });
      const headerLines = [cookie(token), from(origin)];
      const { status } = await request('POST', '/api/hello/x', headerLines);
      expect(status).toBe(expected);
    }
  });

  it('has a path whose pages run script', async () => {
    const port = await backends.serve((_req, res) => {
      res.setHeader('Content-Type', 'text/html').end('<script>1</script>');
    });
    const target = `http://localhost:${port}`;
    const proxied = {
      features: [proxyPlugin],
      config: {
        proxy: { endpoints: { '/sonarqube': { target }, '/x': { target } } },
      },
    };
    const isSandboxed = async (apiGate: JsonObject, below: string) => {
      const { get, token } = await start({ ...proxied, apiGate });
      const { headers } = await get(`/api/proxy/${below}/y`, cookie(token));
      return headers['content-security-policy']?.includes('sandbox') ?? false;
    };
    const apiGate = gateOf('What the cookie opens');
    expect(await isSandboxed({}, 'sonarqube')).toBe(true);
    expect(await isSandboxed(apiGate, 'sonarqube')).toBe(false);
    expect(await isSandboxed(apiGate, 'x')).toBe(true);
  });

  const lives = tableRows(PAGE, [
    '`auth.providers` has',
    'Default of `cookie.maxAge`',
  ]).map(([providers, life]) => [codeIn(providers)[0], providers, life]);

  it('has lives of the cookie in a table', () => {
    expect(lives.map(([, , life]) => life === '15 minutes')).toEqual([
      ...[true, true, false, false],
    ]);
  });

  it.each(
    lives.flatMap(([, providers, life]) =>
      codeIn(providers)
        .filter(code => !/^(dangerously|logout|maxAge)/.test(code))
        .map(id => [id, life]),
    ),
  )('has the default for %s: %s', (id, life) => {
    const { cookie: settings } = readApiGateConfig(
      new ConfigReader({
        backend: { baseUrl: 'https://backstage.example.com' },
        auth: {
          providers: { [id]: { dangerouslyAllowOutsideDevelopment: true } },
        },
      }),
    );
    expect(settings.maxAgeMs).toBe(life === '15 minutes' ? 900_000 : undefined);
  });

  it('has the limit of tokens, which a flag of Node raises', () => {
    const [, limit] = readDocument(PAGE).text.match(
      /([\d,]+) bytes by default/,
    )!;
    const flag = codeIn(
      readDocument(PAGE).text.split('## Long tokens')[1],
    ).find(code => code.startsWith('node '))!;
    const limitWith = (...flags: string[]) =>
      Number(
        execFileSync(
          process.execPath,
          [
            ...flags,
            ...[
              '-r',
              require.resolve('@backstage/cli-node/config/nodeTransform.cjs'),
            ],
            '-p',
            'require("./src/gate/cookie/GateCookie").MAX_TOKEN_BYTES',
          ],
          { cwd: root, encoding: 'utf8' },
        ),
      );
    expect(limitWith()).toBe(Number(limit.replace(',', '')));
    expect(limitWith(`${flag.split(' ')[1]}=65536`)).toBe((65536 - 4096) / 2);
  });
});

describeWithCurl(`${PAGE}: curl`, () => {
  it('keeps the cookie of the first answer, and passes without an origin', async () => {
    const options = codeIn(readDocument(PAGE).text.split('## How long')[0]);
    const keep = options.find(code => code.startsWith('curl '))!;
    const { url, token } = await start();
    const cwd = folderWith({});
    const run = (command: string) =>
      runShell(`${command} -s -o answer -w '%{http_code}' ${url}/api/hello/x`, {
        url,
        cwd,
        env: { TOKEN: token },
      });
    expect(await run(`${keep} jar -H "Authorization: Bearer $TOKEN"`)).toBe(
      '200',
    );
    expect(await run('curl')).toBe('401');
    expect(await run('curl -b jar')).toBe('200');
    expect(await run('curl -b jar -X POST')).toBe('200');
    expect(await run('curl -b jar -X POST -H "Origin: https://a"')).toBe('403');
  });
});
