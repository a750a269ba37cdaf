import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { bearer, cookie } from '../../__testUtils__/requestParts';
import {
  SignedBackendOptions,
  signedBackends,
} from '../../__testUtils__/signedBackends';
import { PAGE_POLICY } from '../../page/document';

const PAGE = '/api/auth/api-gate/';
const NAVIGATION = 'Sec-Fetch-Dest: document';

const backends = signedBackends();
afterEach(backends.stopAll);

async function start(options: SignedBackendOptions = {}) {
  const { apiGate, ...others } = options;
  const hello = recordingPlugin('hello');
  const backend = await backends.start({
    features: [hello.feature],
    ...others,
    apiGate: {
      operators: ['user:default/olivia'],
      readers: ['user:default/rita'],
      ...apiGate,
    },
  });
  const navigate = async (target: string, user?: string) =>
    backend.get(
      target,
      NAVIGATION,
      ...(user ? [cookie(await backend.sign({ sub: user }))] : []),
    );
  return { ...backend, hello, navigate };
}

/** Returns all values of a header. */
const valuesOf = (
  { headers }: { headers: Record<string, unknown> },
  name: string,
) => [headers[name]].flat();

describe('[P89] the page of the policy', () => {
  it('is for operators, readers and services, with one policy', async () => {
    const { get, hello, navigate } = await start();
    const byService = await get(PAGE, bearer(await hello.tokenFor('auth')));
    for (const answer of [
      await navigate(PAGE, 'user:default/olivia'),
      await navigate(PAGE, 'user:default/rita'),
      byService,
    ]) {
      expect(answer.status).toBe(200);
      expect(answer.body).toContain('<h1>API gate</h1>');
      expect(answer.headers).toMatchObject({
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
      });
      expect(valuesOf(answer, 'content-security-policy')).toEqual([
        PAGE_POLICY,
      ]);
    }
  });

  it('says to another user what to ask for', async () => {
    const { navigate } = await start();
    const { body, headers, status } = await navigate(PAGE, 'user:default/jane');
    expect({ status, type: headers['content-type'] }).toEqual({
      status: 403,
      type: 'text/html; charset=utf-8',
    });
    expect(body).toContain(
      'add you, or a group of yours, to auth.apiGate.readers',
    );
    expect(body).not.toContain('<form');
    expect(headers['content-security-policy']).toMatch(/; sandbox\nsandbox$/);
  });

  it.each(['enforce', 'report-only'])(
    'asks a browser without a credential to sign in: %s',
    async mode => {
      const { navigate, statusOf, get } = await start({
        apiGate: { mode },
        config: { app: { baseUrl: 'https://backstage.example.com/app' } },
      });
      const { body, headers, status } = await navigate(PAGE);
      expect(status).toBe(401);
      expect(body).toContain(
        '<a href="https://backstage.example.com/app">Backstage</a>',
      );
      expect(headers).toMatchObject({
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
      });
      expect(headers['content-security-policy']).toMatch(/; sandbox$/);
      expect(headers.location).toBeUndefined();
      if (mode === 'enforce') {
        expect(body).toContain(headers['api-gate-decision']);
        expect(headers['www-authenticate']).toBe('Bearer realm="Backstage"');
      }
      expect((await get(PAGE)).headers['content-type']).toMatch(
        /^application\/json/,
      );
      expect(await statusOf(PAGE)).toBe(401);
    },
  );
});
