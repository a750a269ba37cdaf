import { ConfigReader } from '@backstage/config';
import {
  AuthenticationError,
  NotAllowedError,
  ServiceUnavailableError,
} from '@backstage/errors';
import { createPageReport } from '../__testUtils__/pageReport';
import { startRoutes } from '../__testUtils__/startRoutes';
import type { PolicyReport } from '../observability/describePolicy';
import { PAGE_POLICY } from '../page/document';
import { createPolicyRouter } from './createPolicyRouter';
import { authApiGateReadPermission } from './RouteAccess';

const report = { mode: 'enforce', hash: 'abc' };

const start = () =>
  startRoutes(access =>
    createPolicyRouter({
      access,
      config: new ConfigReader({}),
      describe: async () => report as never,
      explain: async () => ({ lines: [] }),
    }),
  );

describe('GET of the policy', () => {
  it.each(['plugin:search', 'user:default/operator', 'user:default/reader'])(
    'answers %s with the report',
    async caller => {
      const { authorized, send } = await start();
      for (const path of ['/api-gate/v1/policy', '/api-gate/v1/policy/']) {
        const answer = await send('GET', path, caller);
        expect(answer).toMatchObject({ status: 200, body: report });
      }
      const { name } = authApiGateReadPermission;
      expect(authorized).toEqual([name, name]);
    },
  );

  it('is for no other user', async () => {
    const { send } = await start();
    expect(
      await send('GET', '/api-gate/v1/policy', 'user:default/jane'),
    ).toMatchObject({
      status: 403,
      body: {
        error: {
          name: 'NotAllowedError',
          message:
            'This is for services, and for users whom auth.apiGate.operators or auth.apiGate.readers names: user:default/jane is not among them',
        },
      },
    });
  });
});

/** Starts the routes with an error of the authorization, if there is one. */
async function startPage(error?: Error) {
  const asked: unknown[][] = [];
  const { port } = await startRoutes(access =>
    createPolicyRouter({
      access: error ? { requireReader: () => Promise.reject(error) } : access,
      config: new ConfigReader({}),
      describe: async () => createPageReport(),
      async explain(...question) {
        asked.push(question);
        return { lines: ['explained'] };
      },
    }),
  );
  const get = async (path: string, headers = {}) => {
    const response = await fetch(`http://localhost:${port}${path}`, {
      headers: { Authorization: 'Bearer user:default/reader', ...headers },
      redirect: 'manual',
    });
    return { response, text: await response.text() };
  };
  return { asked, get };
}

describe('the page of the policy', () => {
  it('is below the path of the gate', async () => {
    const { get } = await startPage();
    const { response } = await get('/api-gate');
    expect([response.status, response.headers.get('location')]).toEqual([
      302,
      'api-gate/',
    ]);
  });

  it.each([
    ['', []],
    ['?request=+', []],
    ['?request=+GET+/api/x+', [['GET /api/x', undefined]]],
    ['?request=a&subject=+', [['a', undefined]]],
    ['?request=a&subject=+ci+', [['a', 'ci']]],
    ['?request=a&request=b', []],
  ])('explains what the query %s asks', async (query, questions) => {
    const { asked, get } = await startPage();
    const { response, text } = await get(`/api-gate/${query}`);
    expect(response.headers.get('content-security-policy')).toBe(PAGE_POLICY);
    expect(asked).toEqual(questions);
    expect(text.includes('explained')).toBe(questions.length > 0);
  });

  it.each([
    ['+f0f0+', true],
    ['f0f0&id=f0f0', false],
  ])('looks for the refusal with the id %s: %s', async (id, looks) => {
    const { get } = await startPage();
    const { text } = await get(`/api-gate/?id=${id}`);
    expect(text.includes('No refusal with the id f0f0 is among')).toBe(looks);
  });

  it.each([
    [new AuthenticationError('no'), 401, 'Sign in to Backstage first'],
    [new NotAllowedError('no'), 403, 'for operators and readers'],
    [new ServiceUnavailableError('no'), 503, undefined],
    [Object.assign(new Error(), { name: '' }), 500, undefined],
  ])('is for %s a page in browsers: %i', async (error, status, title) => {
    const { get } = await startPage(error);
    const page = await get('/api-gate/', { 'Sec-Fetch-Dest': 'document' });
    const other = await get('/api-gate/', { 'Sec-Fetch-Dest': 'empty' });
    expect([page.response.status, other.response.status]).toEqual([
      status,
      status,
    ]);
    expect(page.text).toContain(title ?? '"error"');
    expect(other.text).toContain('"error"');
  });
});

it('the page asks for the report and the explanation at the same time, so that both share one comparison of the files', async () => {
  let asked = (_: PolicyReport) => {};
  const described = new Promise<PolicyReport>(resolve => {
    asked = resolve;
  });
  const { port } = await startRoutes(access =>
    createPolicyRouter({
      access,
      config: new ConfigReader({}),
      describe: () => described,
      async explain(request) {
        asked(createPageReport());
        return { lines: [`asked about ${request}`] };
      },
    }),
  );
  const response = await fetch(
    `http://localhost:${port}/api-gate/?request=GET+/api/x`,
    { headers: { Authorization: 'Bearer user:default/reader' } },
  );
  expect(await response.text()).toContain('asked about GET /api/x');
  // An adopter's root router may have no helmet, which sets the latter too.
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(response.headers.get('referrer-policy')).toBe('no-referrer');
});
