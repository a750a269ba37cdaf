import { startRoutes } from '../__testUtils__/startRoutes';
import { createPolicyRouter } from './createPolicyRouter';
import { authApiGateReadPermission } from './RouteAccess';

const report = { mode: 'enforce', hash: 'abc' };

const start = () =>
  startRoutes(access =>
    createPolicyRouter({
      access,
      describe: async () => report as never,
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
