import { ConfigReader } from '@backstage/config';
import { createPageReport } from '../__testUtils__/pageReport';
import { startRoutes } from '../__testUtils__/startRoutes';
import type { PolicyReport } from '../observability/describePolicy';
import { createPageRouter } from './createPageRouter';

it('asks for the report and the explanation at the same time, so that both share one comparison of the files', async () => {
  let asked = (_: PolicyReport) => {};
  const report = new Promise<PolicyReport>(resolve => {
    asked = resolve;
  });
  const { port } = await startRoutes(access =>
    createPageRouter({
      access,
      config: new ConfigReader({}),
      describe: () => report,
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
