import { ConfigReader } from '@backstage/config';
import { merge } from 'lodash';
import { parse } from 'yaml';
import { blocksAfter } from '../../../../src/__tests__/__testUtils__/documents';
import { rawRequest } from '../../../../src/__tests__/__testUtils__/rawRequest';
import { runSnippet } from '../../../../src/__tests__/__testUtils__/runSnippet';
import { freePort } from '../../../../src/__tests__/__testUtils__/freePort';
import { createNames, serveApi } from './backend';

jest.setTimeout(120_000);

const PAGE = 'docs/migrate.md';
const FRONTEND = 'http://localhost:3000';
const [, after] = blocksAfter(PAGE, '2. Replace the middleware', 'ts');
const [providers] = blocksAfter(
  PAGE,
  '3. Name the providers that sign users in',
);

let stop: () => Promise<void>;
let port: number;
let bearer: string;

beforeAll(async () => {
  port = await freePort();
  const config = new ConfigReader(
    merge(
      {
        app: { baseUrl: FRONTEND },
        backend: {
          baseUrl: `http://localhost:${port}`,
          listen: { port, host: 'localhost' },
          database: { client: 'better-sqlite3', connection: ':memory:' },
          cors: { origin: FRONTEND, credentials: true },
          auth: { keys: [{ secret: 'a'.repeat(32) }] },
        },
        auth: {
          environment: 'development',
          providers: {
            guest: {},
            github: { development: { clientId: 'id', clientSecret: 'secret' } },
          },
        },
        techdocs: {
          builder: 'external',
          publisher: { type: 'local', local: { publishDirectory: __dirname } },
        },
      },
      parse(providers),
    ),
  );
  const router = await runSnippet(
    after,
    { require, ...createNames(config) },
    'apiRouter',
  );
  ({ stop } = await serveApi(config, router));
  bearer = `Authorization: Bearer ${await signIn()}`;
});
afterAll(() => stop());

const get = (target: string, ...headerLines: string[]) =>
  rawRequest(port, target, { headerLines });
const statusOf = async (target: string, ...headerLines: string[]) =>
  (await get(target, ...headerLines)).status;

async function signIn(): Promise<string> {
  const { body } = await get('/api/auth/guest/refresh');
  return JSON.parse(body).backstageIdentity.token;
}

it.each([
  ['/api/catalog/entities', 200],
  ['/api/techdocs/metadata/techdocs/default/component/x', 404],
  ['/api/proxy/nothing', 404],
  ['/api/cookie', 200],
  ['/api/nothing', 404],
])(
  'the lines of the page refuse %s without a credential, and pass it with one',
  async (target, status) => {
    expect(await statusOf(target)).toBe(401);
    expect(await statusOf(target, bearer)).toBe(status);
  },
);

it('for a frontend on another origin, only the call of /cookie sets the cookie', async () => {
  const cookieOf = async (target: string) =>
    (await get(target, bearer, `Origin: ${FRONTEND}`)).headers['set-cookie'];
  expect(await cookieOf('/api/catalog/entities')).toBeUndefined();
  expect(await cookieOf('/api/cookie')).toMatch(/^token=eyJ/);
});

it('a sign-out at a provider that the page names ends the session', async () => {
  const token = await signIn();
  const { status } = await rawRequest(
    port,
    '/api/auth/github/logout?env=development',
    {
      method: 'POST',
      headerLines: [
        'X-Requested-With: XMLHttpRequest',
        `Origin: ${FRONTEND}`,
        `Cookie: token=${token}`,
      ],
    },
  );
  expect(status).toBe(200);
  const line = `Authorization: Bearer ${token}`;
  expect(await statusOf('/api/catalog/entities', line)).toBe(401);
});
