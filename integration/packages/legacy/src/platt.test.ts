import { getVoidLogger, ServerTokenManager } from '@backstage/backend-common';
import { ConfigReader } from '@backstage/config';
import { compressToEncodedURIComponent } from 'lz-string';
import {
  blocksAfter,
  readDocument,
} from '../../../../src/__tests__/__testUtils__/documents';
import { rawRequest } from '../../../../src/__tests__/__testUtils__/rawRequest';
import { recordingPlugin } from '../../../../src/__tests__/__testUtils__/recordingPlugin';
import {
  RunningBackend,
  startBackend,
} from '../../../../src/__tests__/__testUtils__/startBackend';

jest.setTimeout(120_000);

const [diff] = blocksAfter(
  'docs/migrate.md',
  'From @platt/plugin-http-router-backend-module-authorization',
  'diff',
);
const [removed, added] = diff
  .split('\n')
  .map(line => line.match(/^[-+]backend\.add\(import\('(.+)'\)\);$/)![1]);

// Base64 of 24 bytes, as `backend.auth.keys` requires.
const KEY = { secret: 'a'.repeat(32) };
const BOTH = `${added} beside ${removed}`;

/** A text as the package writes tokens into its cookie. */
const cookieOf = (text: string) =>
  `Cookie: token=${compressToEncodedURIComponent(text)}`;

it('the page adds the gate', () => {
  const { name } = JSON.parse(readDocument('package.json').text);
  expect(added).toBe(name);
});

describe.each([removed, added, BOTH])('a backend with %s', packages => {
  const closed = recordingPlugin('closed');
  const open = recordingPlugin('open', {
    policies: [{ path: '/', allow: 'unauthenticated' }],
  });
  let backend: RunningBackend;
  let token: string;

  const send = (method: string, target: string, ...headerLines: string[]) =>
    rawRequest(backend.port, target, { method, headerLines });
  const statusOf = async (target: string, ...headerLines: string[]) =>
    (await send('GET', target, ...headerLines)).status;
  const bearer = (text: string) => `Authorization: Bearer ${text}`;

  beforeAll(async () => {
    backend = await startBackend({
      withGate: packages !== removed,
      features: [
        ...(packages === added ? [] : [require(removed).default]),
        closed.feature,
        open.feature,
      ],
      config: { backend: { auth: { keys: [KEY] } } },
    });
    const { body } = await send('GET', '/api/auth/guest/refresh');
    token = JSON.parse(body).backstageIdentity.token;
  });
  afterAll(() => backend.stop());

  it('needs a credential, such as a token of backend.auth.keys', async () => {
    expect(await statusOf('/api/open/x')).toBe(401);
    for (const target of ['/api/open/x', '/api/closed/x']) {
      expect(await statusOf(target, bearer(token))).toBe(200);
    }
    const ofKeys = await ServerTokenManager.fromConfig(
      new ConfigReader({ backend: { auth: { keys: [KEY] } } }),
      { logger: getVoidLogger() },
    ).getToken();
    expect(await statusOf('/api/closed/x', bearer(ofKeys.token))).toBe(200);
  });

  it('takes any text as cookie where that package is alone', async () => {
    const line = cookieOf('any text');
    expect(await statusOf('/api/closed/x', line)).toBe(401);
    expect(await statusOf('/api/open/x', line)).toBe(
      packages === removed ? 200 : 401,
    );
  });

  it('passes calls between plugins where that package is not in front', async () => {
    const line = bearer(await open.tokenFor('closed'));
    expect(await statusOf('/api/closed/x', line)).toBe(
      packages === added ? 200 : 401,
    );
  });

  // That package is in front of the routes, where the gate is: it makes its cookie a header before the gate gets the request.
  it('opens nothing by the cookie of that package where the gate is alone, which deletes it', async () => {
    const { status, headers } = await send(
      'GET',
      '/api/closed/x',
      cookieOf(token),
    );
    expect(status).toBe(packages === added ? 401 : 200);
    if (packages === added) {
      expect(headers['set-cookie']).toContain(
        'token=; Path=/; Expires=Thu, 01 Jan 1970',
      );
    }
  });

  it('checks the page that sends a cookie where the gate is alone', async () => {
    const foreign = 'Origin: https://evil.example.com';
    const statuses = [];
    for (const line of [cookieOf(token), `Cookie: token=${token}`]) {
      statuses.push(
        (await send('POST', '/api/closed/x', line, foreign)).status,
      );
    }
    expect(statuses).toEqual(packages === added ? [403, 403] : [200, 401]);
  });
});
