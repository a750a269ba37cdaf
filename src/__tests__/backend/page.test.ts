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
const RITA = 'user:default/rita';
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
      readers: [RITA],
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
      await navigate(PAGE, OLIVIA),
      await navigate(PAGE, RITA),
      byService,
    ]) {
      expect(answer.status).toBe(200);
      expect(answer.body).toContain('<h1>API gate</h1>');
      expect(answer.headers).toMatchObject({
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store, no-transform',
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

  it('says to a browser that only a token opens it, where there is no cookie', async () => {
    const { get, navigate, sign } = await start({
      apiGate: { cookie: { enabled: false } },
    });
    const { body, status } = await navigate(PAGE, RITA);
    expect(status).toBe(401);
    expect(body).toContain('auth.apiGate.cookie.enabled is');
    expect(body).not.toContain('Sign in to Backstage first');
    const token = bearer(await sign({ sub: RITA }));
    expect((await get(PAGE, token)).status).toBe(200);
  });

  it('names nobody to ask where the gate refuses a page of another site', async () => {
    const { get, sign } = await start();
    const rita = cookie(await sign({ sub: RITA }));
    const origin = 'Origin: https://evil.example.com';
    const { body, status } = await get(PAGE, rita, NAVIGATION, origin);
    expect(status).toBe(403);
    expect(body).toContain('This page can not be shown now');
    expect(body).toContain('Pages of other sites may not use the cookie');
    expect(body).not.toContain('auth.apiGate.readers');
  });

  it('still asks a browser to sign in after a reload with a wrong app.baseUrl', async () => {
    const { change, navigate } = await start({
      config: { app: { baseUrl: 'https://backstage.example.com' } },
    });
    change({ config: { app: { baseUrl: ['wrong'] } } });
    expect((await navigate(PAGE)).body).toContain('Sign in to');
  });

  it('has its address with a final slash, and leads there without one', async () => {
    const { navigate } = await start();
    const address = PAGE.slice(0, -1);
    expect(await navigate(address, RITA)).toMatchObject({
      status: 302,
      headers: { location: 'api-gate/' },
    });
    expect((await navigate(address)).body).toContain(
      'Sign in to Backstage first',
    );
  });

  it('can send its form from its exact address only', async () => {
    const { navigate } = await start();
    const policyAt = async (target: string) => {
      const answer = await navigate(target, RITA);
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
      const { body, status } = await navigate(other, RITA);
      expect(status).toBe(404);
      expect(body).not.toContain('<form');
    }
  });

  it("[P95] leaves the pages of other plugins in the gate's sandbox, also at the same path", async () => {
    const other = recordingPlugin('other', {
      handle: (_req, res) => res.type('html').send('<p>other</p>'),
    });
    const { navigate } = await start({ features: [other.feature] });
    const answer = await navigate('/api/other/api-gate/', RITA);
    expect(answer.status).toBe(200);
    expect(valuesOf(answer, 'content-security-policy').join()).toMatch(
      /\nsandbox$/,
    );
  });

  it('finds a refusal by the id of its answer, also one in report-only', async () => {
    const { get, navigate } = await start();
    const refused = await get('/api/hello/some/path?code=secret');
    const id = String(refused.headers['api-gate-decision']);
    const { body } = await navigate(`${PAGE}?id=${id}`, RITA);
    // The refusal is there twice: as the one that was found, and among the last.
    expect(body.split('GET /api/hello/some/path')).toHaveLength(3);
    expect(body).not.toContain('secret');
    const { body: other } = await navigate(`${PAGE}?id=0123456789abcdef`, RITA);
    expect(other).toContain('No refusal with the id 0123456789abcdef');
  });

  it('has what operators expect, and who has power and trust', async () => {
    const { change, navigate, policy, hello } = await start();
    const apiGate = {
      operators: [OLIVIA],
      readers: [RITA],
      allow: [{ plugin: 'hello', path: '/health', until: '2020-01-01' }],
      expect: [
        { request: 'GET /api/hello/health', is: 'public' },
        { plugin: 'hello', is: 'closed' },
      ],
      issuers: ['https://other.example.com/api/auth'],
      signOut: { scope: 'user' },
    };
    change({ apiGate });
    const { body } = await navigate(PAGE, RITA);
    const [, expected] = body.split('id="expected"');
    expect(expected).toMatch(
      /GET \/api\/hello\/health<.*public<.*its rule has ended.*Everything of hello<.*closed<.*yes</s,
    );
    const [, settings] = body.split('id="settings"');
    for (const text of [OLIVIA, RITA, apiGate.issuers[0], 'scope: user']) {
      expect(settings).toContain(text);
    }
    const report = await policy(await hello.tokenFor('auth'));
    expect(report.expect).toEqual([
      { ...apiGate.expect[0], plugin: 'hello', holds: false },
      { ...apiGate.expect[1], holds: true },
    ]);
    expect(report.settings).toMatchObject({
      operators: [OLIVIA],
      readers: [RITA],
      issuers: apiGate.issuers,
      cookie: { enabled: true },
      signOut: { scope: 'user', providers: [] },
    });
  });

  it('shows what has a text, which is no more than a text, and is in no log of the gate', async () => {
    const { log, navigate } = await start({
      apiGate: {
        allow: ['/health', '/ping'].map(path => ({ plugin: 'hello', path })),
      },
    });
    const rulesAt = async (query: string) => {
      const { body } = await navigate(`${PAGE}?${query}`, RITA);
      expect(body).toContain('<h1>API gate</h1>');
      expect(body).not.toMatch(/<script|<img/);
      return body.match(/GET \/api\/hello\/\w+(?=<)/g) ?? [];
    };
    const [health, ping] = ['GET /api/hello/health', 'GET /api/hello/ping'];
    expect(await rulesAt('filter=HELLO/P')).toEqual([ping]);
    expect(await rulesAt('filter=no-such-text')).toEqual([]);
    const hostile = encodeURIComponent(
      '"><script>alert(1)</script><img src=x>',
    );
    expect(await rulesAt(`filter=${hostile}`)).toEqual([]);
    expect(await rulesAt(`filter=${'%F0%9F%98%80'.repeat(900)}`)).toEqual([]);
    for (const query of [
      'filter=',
      'filter=+',
      'filter[]=x',
      'filter=a&filter=b',
    ]) {
      expect(await rulesAt(query)).toEqual([health, ping]);
    }
    const recorded = log.filter(each =>
      /no-such-text/.test(JSON.stringify(each)),
    );
    expect(recorded).toMatchObject([{ meta: { type: 'incomingRequest' } }]);
  });

  it('explains what is asked, and answers what is not a question', async () => {
    const { navigate } = await start({
      apiGate: { allow: [{ plugin: 'hello', path: '/health' }] },
    });
    const ask = async (query: string) =>
      (await navigate(`${PAGE}?${query}`, RITA)).body;
    expect(await ask('request=GET+%2Fapi%2Fhello%2Fhealth')).toContain(
      'public: a rule names it',
    );
    expect(await ask('request=POST+%2Fapi%2Fhello%2Fhealth')).toContain(
      'needs a credential: no rule names it',
    );
    expect(await ask('request=GET+%2Fapi%2Fhello%2Fx&subject=nobody')).toMatch(
      /No external token can have the subject nobody/,
    );
    for (const query of [
      'request=%00',
      'request=a+b+c',
      `request=${'x'.repeat(3000)}`,
    ]) {
      expect(await ask(query)).toContain(
        'Write one request of at most 2000 characters',
      );
    }
    for (const query of [
      'request=%20',
      'request[]=x',
      'request=a&request=b',
      'request[a]=b',
      '%',
      'id[]=x',
      'subject=x',
    ]) {
      const page = await ask(query);
      expect(page).toContain('<h1>API gate</h1>');
      expect(page).not.toContain('<pre>');
    }
  });

  it('says where a question is recorded: in the log of Backstage, not in that of the gate', async () => {
    const { log, navigate } = await start();
    const target = `${PAGE}?request=GET+/api/hello/asked`;
    const { body } = await navigate(target, RITA);
    expect(body.replace(/\n/g, ' ')).toContain(
      'The gate does not record what is asked, but the log of Backstage has the address of each request',
    );
    const recorded = log.filter(line => JSON.stringify(line).includes('asked'));
    expect(recorded).toMatchObject([{ meta: { type: 'incomingRequest' } }]);
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
