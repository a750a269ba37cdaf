import { ConfigReader } from '@backstage/config';
import {
  AuthenticationError,
  NotAllowedError,
  ServiceUnavailableError,
} from '@backstage/errors';
import { pick } from 'lodash';
import { createPageReport } from '../../__tests__/__testUtils__/pageReport';
import { startRoutes } from '../../__tests__/__testUtils__/startRoutes';
import { PAGE_POLICY } from '../page/document';
import { createPolicyRouter } from './createPolicyRouter';
import { ReportAnswers } from './ReportAnswers';

const READER = 'user:default/reader';
const report = createPageReport();

/** Starts the routes. Each caller gets an error, if there is one. */
async function start(error?: Error) {
  const explain = jest.fn(async (..._question: unknown[]) => ({
    lines: ['explained'],
  }));
  const { authorized, port } = await startRoutes(access =>
    createPolicyRouter({
      access: error ? { requireReader: () => Promise.reject(error) } : access,
      config: new ConfigReader({}),
      read: async () =>
        new ReportAnswers(report, () =>
          pick(report, 'replica', 'revocations', 'refusals'),
        ),
      explain,
    }),
  );
  const get = async (path: string, caller = READER, destination = 'empty') => {
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
  return { authorized, explain, get };
}

describe('GET of the policy', () => {
  it.each(['plugin:search', 'user:default/operator', READER])(
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
          'This is for services, and for users whom auth.apiGate.operators or auth.apiGate.readers names: user:default/jane is not among them',
      },
    ]);
  });
});

describe('the page of the policy', () => {
  it('is below the path of the gate', async () => {
    const { status, headers } = await (await start()).get('');
    expect([status, headers.get('location')]).toEqual([302, 'api-gate/']);
  });

  it.each([
    ['', []],
    ['?request=+', []],
    ['?request=+GET+/api/x+', [['GET /api/x', '']]],
    ['?request=a&subject=+', [['a', '']]],
    ['?request=a&subject=+ci+', [['a', 'ci']]],
    ['?request=a&request=b', []],
  ])('explains what the query %s asks', async (query, questions) => {
    const { explain, get } = await start();
    const { headers, text } = await get(`/${query}`);
    expect(explain.mock.calls).toEqual(questions);
    expect(text.includes('explained')).toBe(questions.length > 0);
    expect(headers.get('content-security-policy')).toBe(PAGE_POLICY);
    // An adopter's root router may have no helmet, which sets the latter too.
    expect(headers.get('cache-control')).toBe('no-store, no-transform');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
  });

  it('looks for the refusal with an id', async () => {
    const { text } = await (await start()).get('/?id=+f0f0+');
    expect(text).toContain('No refusal with the id f0f0 is among');
  });

  it.each([
    [new AuthenticationError('no'), 401, 'Sign in to Backstage first'],
    [new NotAllowedError('no'), 403, 'for operators and readers'],
    [new ServiceUnavailableError('no'), 503, '"error"'],
    [new Error('no'), 500, '"error"'],
  ])('is an error for %s in browsers: %i', async (error, status, text) => {
    const { get } = await start(error);
    expect(await get('/', READER, 'document')).toMatchObject({
      status,
      text: expect.stringContaining(text),
    });
    expect((await get('/')).text).toContain('"error"');
  });
});
