import { execFileSync } from 'node:child_process';
import { ConfigReader } from '@backstage/config';
import { readApiGateConfig } from '../../../settings/read/readApiGateConfig';
import {
  codeIn,
  readDocument,
  root,
  tableRows,
} from '../../__testUtils__/documents';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { bearer } from '../../__testUtils__/requestParts';
import { folderWith } from '../../__testUtils__/runCli';
import { describeWithCurl, runShell } from '../../__testUtils__/runShell';
import {
  SignedBackendOptions,
  signedBackends,
} from '../../__testUtils__/signedBackends';

const PAGE = 'docs/browsers-and-cookies.md';

const backends = signedBackends();
afterEach(backends.stopAll);

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

describe(`${PAGE}: the settings`, () => {
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
