import { deniedPermissions } from '../__testUtils__/deniedPermissions';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { bearer, cookie } from '../__testUtils__/requestParts';
import {
  SignedBackendOptions,
  signedBackends,
} from '../__testUtils__/signedBackends';
import { PAGE_POLICY } from '../../operators/page/document';

const PAGE = '/api/auth/api-gate/';
const OLIVIA = 'user:default/olivia';
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
      operators: [OLIVIA],
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
  it('is for operators and services, with one policy', async () => {
    const { get, hello, navigate } = await start();
    const byService = await get(PAGE, bearer(await hello.tokenFor('auth')));
    for (const answer of [await navigate(PAGE, OLIVIA), byService]) {
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
      'add you, or a group of yours, to auth.apiGate.operators',
    );
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
      expect(body).toContain(
        '<a href="https://backstage.example.com/app/docs/default/component/any">a page of TechDocs</a>',
      );
      expect(headers).toMatchObject({
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
      });
      expect(headers['content-security-policy']).toMatch(/; sandbox$/);
      expect(headers.location).toBeUndefined();
      expect(
        body.includes(`<code>${headers['api-gate-decision']}</code>`),
      ).toBe(mode === 'enforce');
      expect((await get(PAGE)).headers['content-type']).toMatch(
        /^application\/json/,
      );
      expect(await statusOf(PAGE)).toBe(401);
    },
  );

  it('has its address with a final slash, and leads there without one', async () => {
    const { navigate } = await start();
    const address = PAGE.slice(0, -1);
    expect(await navigate(address, OLIVIA)).toMatchObject({
      status: 302,
      headers: { location: 'api-gate/' },
    });
    expect((await navigate(address)).body).toContain(
      'Sign in to Backstage first',
    );
  });

  it('is at its exact address only', async () => {
    const { navigate } = await start();
    const policyAt = async (target: string) => {
      const answer = await navigate(target, OLIVIA);
      return [
        answer.status,
        valuesOf(answer, 'content-security-policy').join().split('\n'),
      ];
    };
    expect(await policyAt('/api/auth/API-GATE/')).toEqual([
      200,
      [PAGE_POLICY, 'sandbox'],
    ]);
    for (const other of [
      '/api/auth/api-gate//',
      '/api/auth/%61pi-gate/',
      '/api/auth/x/../api-gate/',
      '/api/auth/api-gate/x',
    ]) {
      const { body, status } = await navigate(other, OLIVIA);
      expect(status).toBe(404);
      expect(body).not.toContain('<h1>API gate');
    }
  });

  it("[P95] leaves the pages of other plugins in the gate's sandbox, also at the same path", async () => {
    const other = recordingPlugin('other', {
      handle: (_req, res) => res.type('html').send('<p>other</p>'),
    });
    const { navigate } = await start({ features: [other.feature] });
    const answer = await navigate('/api/other/api-gate/', OLIVIA);
    expect(answer.status).toBe(200);
    expect(valuesOf(answer, 'content-security-policy').join()).toMatch(
      /\nsandbox$/,
    );
  });

  it('is read only', async () => {
    const { request, sign } = await start();
    const token = bearer(await sign({ sub: OLIVIA }));
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      expect((await request(method, PAGE, [token])).status).toBe(404);
    }
    expect((await request('HEAD', PAGE, [token])).status).toBe(200);
  });

  it("is nobody's whom the permission system denies it", async () => {
    const { navigate } = await start({ features: [deniedPermissions] });
    const { body, status } = await navigate(PAGE, OLIVIA);
    expect(status).toBe(403);
    expect(body).toContain('This needs the permission auth.api-gate.read.');
  });
});
