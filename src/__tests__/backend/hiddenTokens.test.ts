import { map, uniq } from 'lodash';
import { exportMetrics } from '../__testUtils__/exportMetrics';
import { rawRequest } from '../__testUtils__/rawRequest';
import { recordingAuditor } from '../__testUtils__/recordingAuditor';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { recordSpans } from '../__testUtils__/recordSpans';
import { bearer, POLICY } from '../__testUtils__/requestParts';
import { signedBackends } from '../__testUtils__/signedBackends';
import { unsignedToken } from '../__testUtils__/unsignedToken';

const OPERATOR = 'user:default/olivia';
const PAGE = '/api/auth/api-gate/';

const TOKENS = [
  unsignedToken(undefined, { sub: 'user:default/jane' }),
  'ghp_abcdefghijklmnop',
  'glpat-abcdefghijklmnop',
  'xoxb-123456789012',
  'AKIAIOSFODNN7EXAMPLE',
  'aB3dE6gH9jK2mN5p',
  '0123456789abcdef0123456789abcdef',
];
const SHOWN = 'ab12-cd34-ef56';

const backends = signedBackends();
const spans = recordSpans();
afterEach(backends.stopAll);
afterAll(() => spans.stop());

it.each(['enforce', 'report-only'])(
  '[P106] a token in a path is in no log, audit event, report, page, span or metric (%s)',
  async mode => {
    const exported = await exportMetrics();
    const audit: object[] = [];
    const backend = await backends.start({
      features: [
        recordingPlugin('hello', {
          policies: [{ path: '/reset', allow: 'unauthenticated' }],
        }).feature,
        recordingAuditor(audit),
      ],
      apiGate: {
        mode,
        operators: [OPERATOR],
      },
    });
    const { get, log, sign, upgradeOnce } = backend;
    const caller = async (sub: string) => bearer(await sign({ sub }));
    for (const text of [SHOWN, ...TOKENS]) {
      for (const path of [`/reset/${text}`, `/reset/${text}/x`, `/${text}`]) {
        await get(`/api/hello${path}?${text}`);
      }
      await get(`/api/${text}/reset`);
      await upgradeOnce(`/api/hello/reset/${text}`);
    }
    const asOperator = await caller(OPERATOR);
    const places: Record<string, string> = {
      log: JSON.stringify(
        log.filter(({ message }) => message.startsWith('API gate')),
      ),
      audit: JSON.stringify(audit.filter(event => 'eventId' in event)),
      policy: (await get(POLICY, asOperator)).body,
      page: (await get(PAGE, asOperator)).body,
      spans: JSON.stringify(spans.take()),
      metrics: (await rawRequest(exported.port, '/metrics')).body,
    };
    await exported.stop();
    for (const [place, text] of Object.entries(places)) {
      for (const token of TOKENS) {
        expect([place, text.includes(token.slice(0, 12))]).toEqual([
          place,
          false,
        ]);
      }
    }
    // A shorter secret looks like a name, and stays. The audit, the spans and the metrics have no path.
    for (const [place, text] of Object.entries(places)) {
      const hasPath = !['audit', 'spans', 'metrics'].includes(place);
      expect([place, text.includes(SHOWN)]).toEqual([place, hasPath]);
    }
    for (const place of ['spans', 'metrics']) {
      expect(places[place]).toMatch(/missing.credentials/);
    }
    expect(places.audit.includes('api-gate-denial')).toBe(mode === 'enforce');
    const { reportOnly } = JSON.parse(places.policy);
    const paths = uniq(map(reportOnly?.worked, 'path'));
    const worked = [`/reset/${SHOWN}`, `/reset/${SHOWN}/x`];
    // No rule can name the path of an upgrade with what may be a token.
    const hidden = ['/reset/*', '/reset/*/x', undefined];
    expect(paths.sort()).toEqual(
      mode === 'enforce' ? [] : [...worked, ...hidden].sort(),
    );
  },
);
