import { spawn } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import path from 'node:path';
import type { JsonObject } from '@backstage/types';
import { parse } from 'yaml';
import { answeringProvider } from '../../__testUtils__/authProvider';
import {
  blocksAfter,
  codeIn,
  proseOf,
  readDocument,
  root,
  tableRows,
} from '../../__testUtils__/documents';
import { approve, oauthConfig } from '../../__testUtils__/oauthClients';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import {
  bearer,
  cookie,
  now,
  REVOCATIONS,
  SAME_ORIGIN,
} from '../../__testUtils__/requestParts';
import { folderWith } from '../../__testUtils__/runCli';
import { describeWithCurl, runShell } from '../../__testUtils__/runShell';
import { signedBackends } from '../../__testUtils__/signedBackends';
import type { UserTokenClaims } from '../../__testUtils__/signingKey';
import { until } from '../../__testUtils__/until';

const PAGE = 'docs/sign-out.md';
const JANE = 'user:default/jane';

const backends = signedBackends();
jest.setTimeout(120_000);
afterEach(backends.stopAll);

// Goes in October 2027: `auth` plugins before November 2026 have no route that ends refresh tokens.
const { API_GATE_TEST_RELEASE: release = '2026-11' } = process.env;
const describeWithTokens = release >= '2026-11' ? describe : describe.skip;

const gateOf = (text: string): JsonObject => parse(text).auth.apiGate;

/** Starts a backend with a provider that has `signIn`, and the plugin `catalog`. */
async function start(apiGate: JsonObject = {}) {
  // It finds nobody.
  const catalog = recordingPlugin('catalog', {
    handle: (_req, res) => res.json({ items: [null] }),
  });
  const backend = await backends.start({
    apiGate,
    features: [
      catalog.feature,
      answeringProvider('signs-in', async (_req, res) => void res.end()),
    ],
    config: { auth: { providers: { 'signs-in': { test: { signIn: {} } } } } },
  });
  return {
    ...backend,
    statusOf: (token: string) =>
      backend.statusOf('/api/catalog/x', bearer(token)),
    /** Sends one of the calls of the page. */
    call: async (written: string, headerLine: string) => {
      const [method, target] = written
        .replace('<provider>', 'signs-in')
        .replace('<plugin>', 'catalog')
        .split(' ');
      return (await backend.request(method, target, [headerLine, SAME_ORIGIN]))
        .status;
    },
  };
}

const calls = tableRows(PAGE, ['Call', 'Ends']).flatMap(([call]) =>
  codeIn(call),
);

describe('docs/sign-out.md', () => {
  const [ofUser] = blocksAfter(PAGE, 'What ends a session');

  it('has the two calls', () => expect(calls).toHaveLength(2));

  it.each([
    ['of the browser, by default', {}, 200],
    ['of the user, with the scope of the page', gateOf(ofUser), 401],
  ])('has calls that end the session %s', async (_, apiGate, others) => {
    for (const call of calls) {
      const backend = await start(apiGate);
      const [older, token] = [
        await backend.sign({ sub: JANE, iat: now() - 5 }),
        await backend.sign({ sub: JANE }),
      ];
      expect(await backend.call(call, cookie(token))).toBeLessThan(300);
      expect(await backend.statusOf(token)).toBe(401);
      expect(await backend.statusOf(older)).toBe(others);
    }
  });

  it('has the call by which a guest tries a sign-out', async () => {
    const [, section] = proseOf(readDocument(PAGE)).split(
      '## What ends nothing',
    );
    const [logout, withBearer] = codeIn(section).filter(code =>
      /^(POST|DELETE) /.test(code),
    );
    const backend = await start();
    const guest = await backend.guest();
    expect(await backend.call(logout, bearer(guest))).toBe(404);
    expect(await backend.statusOf(guest)).toBe(200);
    expect(await backend.call(withBearer, bearer(guest))).toBe(204);
    expect(await backend.statusOf(guest)).toBe(401);
  });
});

describeWithCurl(`${PAGE}: sign out everywhere`, () => {
  const [curl] = blocksAfter(PAGE, 'Sign out everywhere', 'sh');
  const [operators] = blocksAfter(PAGE, 'Who may call it');

  it('is for the user, for the operators of the page, and for nobody else', async () => {
    const joe = { sub: 'user:default/joe' };
    const ofPlatform = { ...joe, ent: ['group:default/platform'] };
    const byRole: [Partial<UserTokenClaims>, JsonObject, boolean][] = [
      [{ sub: JANE }, {}, true],
      [joe, {}, false],
      [joe, gateOf(operators), false],
      [ofPlatform, gateOf(operators), true],
    ];
    for (const [claims, apiGate, isAllowed] of byRole) {
      const backend = await start(apiGate);
      const janes = await Promise.all(
        [5, 60].map(ago => backend.sign({ sub: JANE, iat: now() - ago })),
      );
      const run = runShell(curl, {
        url: backend.url,
        env: { TOKEN: await backend.sign(claims) },
      });
      // The code with which curl ends at a 403.
      expect(await run.catch(({ code }) => code)).toBe(
        isAllowed ? '{"offlineSessions":"disabled"}' : 22,
      );
      for (const token of janes) {
        expect(await backend.statusOf(token)).toBe(isAllowed ? 401 : 200);
      }
    }
  });
});

describeWithCurl(`${PAGE}: when somebody leaves`, () => {
  const [command] = blocksAfter(PAGE, 'When somebody leaves', 'sh');
  const end = new Date(Date.now() + 23 * 3_600_000).toISOString();

  it('the command signs the user out until then, with the fields of the table', async () => {
    const operator = 'user:development/guest';
    const backend = await start({ operators: [operator] });
    const env = { TOKEN: await backend.guest() };
    const run = async () => {
      const text = command.replace(/\d{4}-\d\d-\d\dT[\d:]+Z/, end);
      return JSON.parse(await runShell(text, { url: backend.url, env }));
    };
    const [past, future] = [
      await backend.sign({ sub: JANE, iat: now() - 5 }),
      await backend.sign({ sub: JANE, iat: now() + 60 }),
    ];
    const answers = [await run(), await run()];
    for (const token of [past, future]) {
      expect(await backend.statusOf(token)).toBe(401);
    }
    const fields = tableRows(PAGE, ['Field', 'Meaning']).flatMap(([field]) =>
      codeIn(field),
    );
    for (const answer of answers) {
      expect(Object.keys(answer).sort()).toEqual(fields.sort());
      expect(answer.offlineSessions).toBe('disabled');
      expect(Date.parse(answer.until) - Date.parse(end)).toBeLessThan(1_000);
    }
  });

  it('names the two calls by which the user still signs out', async () => {
    const backend = await start({ operators: ['user:development/guest'] });
    const token = await backend.sign({ sub: JANE });
    const { status } = await backend.post(REVOCATIONS, await backend.guest(), {
      userEntityRef: JANE,
      until: end,
    });
    expect(status).toBe(201);
    expect(await backend.statusOf(token)).toBe(401);
    for (const call of calls) {
      expect(await backend.call(call, cookie(token))).toBeLessThan(300);
    }
  });
});

describeWithTokens(`${PAGE}: backstage-cli`, () => {
  const environment = process.env.NODE_ENV;
  // Clients on plain http are for development.
  beforeAll(() => Object.assign(process.env, { NODE_ENV: 'development' }));
  afterAll(() => Object.assign(process.env, { NODE_ENV: environment }));

  /** Creates a folder in which `backstage-cli` keeps its tokens. */
  function createHome() {
    const folder = folderWith({
      'package.json':
        '{"name":"root","devDependencies":{"@backstage/cli-defaults":"*"}}',
    });
    symlinkSync(path.join(root, 'node_modules'), `${folder}/node_modules`);
    return (command: string) => {
      const [program, ...args] = command.split(' ');
      const child = spawn(`node_modules/.bin/${program}`, args, {
        cwd: folder,
        env: { PATH: process.env.PATH, HOME: folder },
        stdio: ['ignore', 'pipe', 'inherit'],
        timeout: 30_000,
      });
      let printed = '';
      child.stdout.on('data', chunk => {
        printed += chunk;
      });
      const ended = new Promise<string>(resolve => {
        child.once('close', () => resolve(printed.trim()));
      });
      return { ended, printed: () => printed };
    };
  }

  it('keeps its access token after a logout, and not after a sign-out everywhere', async () => {
    const logout = codeIn(proseOf(readDocument(PAGE))).find(code =>
      code.startsWith('backstage-cli '),
    )!;
    const cli = createHome();
    const backend = await backends.start({
      features: [recordingPlugin('catalog').feature],
      config: {
        auth: {
          ...oauthConfig(),
          clientIdMetadataDocuments: { enabled: true },
        },
      },
    });
    const guest = await backend.guest();
    const signIn = async () => {
      const login = cli(
        `backstage-cli auth login --no-browser --backend-url ${backend.url}`,
      );
      const authorize = /http\S+\/authorize\?\S+/;
      await until(() => authorize.test(login.printed()));
      const [url] = login.printed().match(authorize)!;
      await fetch(await approve(`${backend.url}/api/auth`, url, guest));
      expect(await login.ended).toContain('Login successful');
      return cli('backstage-cli auth print-token').ended;
    };
    const statusOf = (token: string) =>
      backend.statusOf('/api/catalog/x', bearer(token));

    const kept = await signIn();
    // Without an instance, the command asks for one on a terminal.
    const { host } = new URL(backend.url);
    expect(await cli(`${logout} --instance ${host}`).ended).toBe('Logged out');
    expect(await statusOf(kept)).toBe(200);

    const token = await signIn();
    const answer = await backend.post(REVOCATIONS, guest, {
      userEntityRef: 'user:development/guest',
    });
    // The logout has ended the first of the two refresh tokens.
    expect(JSON.parse(answer.body)).toEqual({ offlineSessions: { ended: 1 } });
    for (const ended of [kept, token]) {
      expect(await statusOf(ended)).toBe(401);
    }
  });
});
