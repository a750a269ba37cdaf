import { ConfigReader } from '@backstage/config';
import {
  AuthenticationError,
  NotAllowedError,
  ServiceUnavailableError,
} from '@backstage/errors';
import { createPageReport } from '../../__tests__/__testUtils__/pageReport';
import { startRoutes } from '../../__tests__/__testUtils__/startRoutes';
import { PAGE_POLICY } from '../page/document';
import { createPolicyRouter } from './createPolicyRouter';

const OPERATOR = 'user:default/operator';
const report = createPageReport();

/** Starts the routes. Each caller gets an error, if there is one. */
async function start(error?: Error) {
  const { authorized, port } = await startRoutes(access =>
    createPolicyRouter({
      access: error ? { requireOperator: () => Promise.reject(error) } : access,
      config: new ConfigReader({}),
      readReport: async () => report,
    }),
  );
  const get = async (
    path: string,
    caller = OPERATOR,
    destination = 'empty',
  ) => {
    const response = await fetch(`http://localhost:${port}/api-gate${path}`, {
      headers: {
        Authorization: `Bearer ${caller}`,
        'Sec-Fetch-Dest': destination,
      },
      redirect: 'manual',
    });
    const { status, headers } = response;
    return { status, headers, text: await response.text() };
  };
  return { authorized, get };
}

describe('GET of the policy', () => {
  it.each(['plugin:search', OPERATOR])(
    'answers %s with the report',
    async caller => {
      const { authorized, get } = await start();
      for (const path of ['/v1/policy', '/v1/policy/']) {
        const { status, text } = await get(path, caller);
        expect([status, JSON.parse(text)]).toEqual([200, report]);
      }
      expect(authorized).toEqual(['auth.api-gate.read', 'auth.api-gate.read']);
    },
  );

  it('is for no other user', async () => {
    const { get } = await start();
    const { status, text } = await get('/v1/policy', 'user:default/jane');
    expect([status, JSON.parse(text).error]).toMatchObject([
      403,
      {
        name: 'NotAllowedError',
        message:
          'This is for services, and for users whom auth.apiGate.operators names: user:default/jane is not among them',
      },
    ]);
  });
});

describe('the page of the policy', () => {
  it('is below the path of the gate', async () => {
    const { status, headers } = await (await start()).get('');
    expect([status, headers.get('location')]).toEqual([302, 'api-gate/']);
  });

  it('has what a browser may do with it', async () => {
    const { headers, text } = await (await start()).get('/?request=x');
    expect(text).toContain('<h1>API gate</h1>');
    expect(headers.get('content-security-policy')).toBe(PAGE_POLICY);
    // An adopter's root router may have no helmet, which sets the latter too.
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
  });

  it.each([
    [new AuthenticationError('no'), 401, 'Sign in to Backstage first'],
    [new NotAllowedError('no'), 403, 'for operators'],
    [new ServiceUnavailableError('no'), 503, '"error"'],
    [new Error('no'), 500, '"error"'],
  ])('is an error for %s in browsers: %i', async (error, status, text) => {
    const { get } = await start(error);
    expect(await get('/', OPERATOR, 'document')).toMatchObject({
      status,
      text: expect.stringContaining(text),
    });
    expect((await get('/')).text).toContain('"error"');
  });
});
