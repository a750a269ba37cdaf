import {
  allowOf,
  nameOf,
  rejected,
  taken,
} from '../__testUtils__/allowRuleRows';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { rawRequest } from '../__testUtils__/rawRequest';
import { signedBackends } from '../__testUtils__/signedBackends';
import { startLegacyGate } from '../__testUtils__/startLegacyGate';
import { AllowList } from '../../gate/rules/AllowList';
import { AllowRule } from '../../gate/rules/AllowRule';
import { readAllowRules } from '../../settings/read/readAllowRules';

const backends = signedBackends();
afterEach(backends.stopAll);

describe('each rule that is taken, in a backend and on the legacy system', () => {
  const pub = recordingPlugin('pub');

  it.each(taken.map(row => [nameOf(row), row] as const))(
    '%s',
    async (_, row) => {
      const apiGate = { allow: allowOf(row) as never };
      const backend = await backends.start({
        withAuth: false,
        features: [pub.feature],
        apiGate,
      });
      const legacy = await startLegacyGate({ apiGate });
      backends.add(legacy);
      const rules = readAllowRules(allowOf(row), 'auth.apiGate.allow');
      const list = new AllowList(rules);

      const probes = new Set(['/', '/health', '/healthx', '/x', '/static']);
      for (const { path: rulePath } of rules) {
        probes.add(rulePath.replace(/\*\*$/, 'a/b'));
        probes.add(`${rulePath.replace(/\/\*\*$/, '')}x`);
      }
      for (const method of ['GET', 'HEAD', 'POST', 'PUT']) {
        for (const probe of probes) {
          const isOpen = modelSays(rules, method, probe);
          expect(Boolean(list.match('pub', method, probe, 0))).toBe(isOpen);
          const before = pub.handled.length;
          const target = `/api/pub${probe === '/' ? '' : probe}`;
          const { status } = await backend.request(method, target);
          expect([method, probe, status]).toEqual([
            method,
            probe,
            isOpen ? 200 : 401,
          ]);
          expect(pub.handled.length - before).toBe(isOpen ? 1 : 0);
          const answer = await rawRequest(legacy.port, target, { method });
          expect(answer.status).toBe(status);
        }
      }
      const warns = backend.logged('auth.apiGate.allow[', 'warn').length > 0;
      // Findings are about what a rule opens: they leave out repetitions, and `/`, which opens only the root.
      expect(warns).toBe(
        (row.expect === 'warn' && !/^(Duplicate|Exact root)/.test(row.why)) ||
          JSON.stringify(row.allow).includes('POST'),
      );
    },
  );
});

/** Evaluates the rules by another implementation than the product's. */
function modelSays(rules: AllowRule[], method: string, probe: string): boolean {
  return rules.some(
    rule =>
      rule.plugin === 'pub' &&
      (rule.methods.includes(method) ||
        (method === 'HEAD' && rule.methods.includes('GET'))) &&
      (rule.path.endsWith('/**')
        ? probe.startsWith(rule.path.slice(0, -2))
        : rule.path === probe),
  );
}

it('[P3] stops the start of a backend at a rule that is rejected', async () => {
  for (const row of rejected) {
    const apiGate = { allow: allowOf(row) as never };
    await expect(backends.start({ withAuth: false, apiGate })).rejects.toThrow(
      /auth\.apiGate\.allow\S* /,
    );
    await expect(startLegacyGate({ apiGate })).rejects.toThrow(
      /^auth\.apiGate\.allow\S* /,
    );
  }
});
