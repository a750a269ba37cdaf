import { ConfigReader } from '@backstage/config';
import { createPageReport } from '../__testUtils__/pageReport';
import { startRoutes } from '../__testUtils__/startRoutes';
import type { PolicyReport } from '../observability/describePolicy';
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
      const answer = await send('GET', '/api-gate/v1/policy', caller);
      expect(answer).toMatchObject({
        status: 200,
        body: report,
      });
      expect(authorized).toEqual([authApiGateReadPermission.name]);
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
