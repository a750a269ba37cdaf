import { createPageReport } from '../__testUtils__/pageReport';
import type { PolicyReport } from '../observability/describePolicy';
import { renderPage } from './renderPage';

it('the page stays below 1 MB, and takes less than 50 ms, with 1,000 rules, 200 plugins and 200 refusals', () => {
  const report = createPageReport();
  const [rule] = report.allow;
  const [use] = report.usage!.rules;
  const [refusal] = report.refusals.last;
  const plugins = Array.from({ length: 200 }, (_, i) => `some-plugin-${i}`);
  const many = <T>(length: number, create: (i: number) => T) =>
    Array.from({ length }, (_, i) => create(i));
  const large: PolicyReport = {
    ...report,
    installed: plugins,
    allow: many(1000, i => ({
      ...rule,
      plugin: plugins[i % 200],
      path: `/some/longer/path/${i}/*/of/a/rule`,
    })),
    closed: plugins.map(plugin => ({
      plugin,
      path: '/health',
      allow: 'unauthenticated',
      isWebSocket: false,
    })),
    findings: many(1000, i => ({
      ...report.findings[0],
      at: `auth.apiGate.allow[${i}] (GET /api/x/${i})`,
    })),
    usage: { ...report.usage!, rules: many(1000, () => use) },
    refusals: {
      ...report.refusals,
      last: many(200, () => ({ ...refusal, path: '/x'.repeat(100) })),
    },
  };
  const page = {
    report: large,
    question: { request: '', subject: '' },
    explained: undefined,
    id: '',
  };
  const measure = () => {
    const begin = process.cpuUsage();
    expect(Buffer.byteLength(renderPage(page))).toBeLessThan(1_000_000);
    const { system, user } = process.cpuUsage(begin);
    return (system + user) / 1000;
  };
  // Whatever else the machine does makes each time longer, and none shorter.
  let best = Infinity;
  for (let i = 0; i < 50 && best >= 50; i += 1) {
    best = Math.min(best, measure());
  }
  expect(best).toBeLessThan(50);
});
