import { createBackendModule } from '@backstage/backend-plugin-api';
import type { JsonObject } from '@backstage/types';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { bearer, POLICY, REVOCATIONS } from '../__testUtils__/requestParts';
import { signedBackends } from '../__testUtils__/signedBackends';
import { apiGateServiceRef } from '../../backstage/apiGateService';
import type { GateParts } from '../../backstage/createParts';

const OLIVIA = 'user:default/olivia';
const JANE = 'user:default/jane';
const PAGE = '/api/auth/api-gate/';

const rule = (path: string) => ({
  plugin: 'hello',
  path,
  methods: ['GET', 'POST'],
  reason: 'it is public',
  until: '2099-01-01',
});
const allow = Array.from({ length: 1_000 }, (_, i) => rule(`/public/${i}/x`));
const apiGate = { operators: [OLIVIA], allow };

const backends = signedBackends();
afterEach(async () => {
  jest.restoreAllMocks();
  await backends.stopAll();
});

/** Starts a backend with 1,000 rules, whose report is kept for seconds. */
async function start(config?: JsonObject) {
  let gate: GateParts;
  const backend = await backends.start({
    apiGate,
    config,
    features: [
      recordingPlugin('hello').feature,
      createBackendModule({
        pluginId: 'hello',
        moduleId: 'looks',
        register: reg =>
          reg.registerInit({
            deps: { parts: apiGateServiceRef },
            async init({ parts }) {
              gate = parts;
            },
          }),
      }),
    ],
  });
  const describe = jest.spyOn(gate!, 'describePolicy');
  const olivia = bearer(await backend.sign({ sub: OLIVIA }));
  return {
    ...backend,
    gate: gate!,
    /** Returns how often a report was made. */
    made: () => describe.mock.calls.length,
    read: async (path: string) => {
      const { status, body } = await backend.get(path, olivia);
      return status === 200 ? body : status;
    },
  };
}

describe('[P89] a report of 1,000 rules', () => {
  it('is made once for 50 readers at once', async () => {
    const { made, read } = await start();
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => read(i % 2 ? POLICY : PAGE)),
    );
    expect(made()).toBe(1);
    for (const answer of answers) {
      expect(answer).toContain('/public/999/x');
    }
  });

  it('is kept for five seconds', async () => {
    const { made, read } = await start();
    let clock = 0;
    jest.spyOn(performance, 'now').mockImplementation(() => clock);
    for (const [time, count] of [
      [0, 1],
      [4_999, 1],
      [5_000, 2],
    ]) {
      clock = time;
      await read(PAGE);
      await read(POLICY);
      expect(made()).toBe(count);
    }
  });

  it('shows a sign-out, a refusal, and the policy of a reload at once', async () => {
    const { change, get, made, post, read, sign } = await start();
    const ended = (count: number) => new RegExp(`${count} sessions? ended<`);
    expect(await read(PAGE)).toMatch(ended(0));

    const operator = await sign({ sub: OLIVIA });
    const body = { userEntityRef: JANE };
    expect((await post(REVOCATIONS, operator, body)).status).toBe(201);
    expect(await read(PAGE)).toMatch(ended(1));
    expect(await read(POLICY)).toContain('"sessions":1');

    const { headers } = await get('/api/hello/later');
    const id = headers['api-gate-decision'];
    expect(await read(PAGE)).toContain(`>${id}<`);
    expect(await read(POLICY)).toContain(id);
    // All of that is beside one report.
    expect(made()).toBe(1);

    change({ apiGate: { ...apiGate, allow: [rule('/new')] } });
    expect(await read(PAGE)).toContain('/api/hello/new');
    expect(await read(POLICY)).not.toContain('/public/999/x');
    change({ apiGate: { ...apiGate, allow: [rule('wrong')] } });
    expect(await read(PAGE)).toContain('has changed and is not in force');
    expect(await read(POLICY)).toContain('"problem":"auth.apiGate.allow[0]');
  });

  it('shows at once what a plugin declares after the first reader has come', async () => {
    const { gate, made, read } = await start();
    expect(await read(POLICY)).not.toContain('"/declared"');
    const router = { addAuthPolicy() {}, addWebSocketHandler() {}, use() {} };
    gate.policies
      .watch('hello', router)
      .addAuthPolicy({ path: '/declared', allow: 'unauthenticated' });
    expect(await read(POLICY)).toContain('"/declared"');
    expect(made()).toBe(2);
  });

  it('shows a finding about a setting of Backstage at once', async () => {
    const { change, read } = await start();
    expect(await read(POLICY)).not.toContain('no-barrier-behind');
    const auth = { dangerouslyDisableDefaultAuthPolicy: true };
    change({ apiGate, config: { backend: { auth } } });
    expect(await read(POLICY)).toContain('no-barrier-behind');
  });

  it('is for those alone who may read it now, whoever has read it before', async () => {
    const { change, made, read, sign, statusOf } = await start();
    for (const path of [PAGE, POLICY]) {
      expect(await read(path)).toContain('/public/99/x');
      const jane = bearer(await sign({ sub: JANE }));
      expect(await statusOf(path, jane)).toBe(403);
      expect(await statusOf(path)).toBe(401);
    }
    expect(made()).toBe(1);
    change({ apiGate: { ...apiGate, operators: [] } });
    expect([await read(PAGE), await read(POLICY)]).toEqual([403, 403]);
  });
});
