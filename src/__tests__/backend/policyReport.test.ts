import { createBackendModule } from '@backstage/backend-plugin-api';
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
afterEach(backends.stopAll);

/** Starts a backend with 1,000 rules. */
async function start() {
  let gate: GateParts;
  const backend = await backends.start({
    apiGate,
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
  const olivia = bearer(await backend.sign({ sub: OLIVIA }));
  return {
    ...backend,
    gate: gate!,
    read: async (path: string) => {
      const { status, body } = await backend.get(path, olivia);
      return status === 200 ? body : status;
    },
  };
}

describe('[P89] a report of 1,000 rules', () => {
  it('has facts that are computed once for each policy, and again once a plugin declares more', async () => {
    const { change, gate, read } = await start();
    const facts = gate.listFacts();
    for (const path of [POLICY, PAGE]) {
      expect(await read(path)).toContain('/public/999/x');
    }
    expect(gate.listFacts()).toBe(facts);

    const router = { addAuthPolicy() {}, addWebSocketHandler() {}, use() {} };
    gate.policies
      .watch('hello', router)
      .addAuthPolicy({ path: '/declared', allow: 'unauthenticated' });
    expect(await read(POLICY)).toContain('/api/hello/declared');
    expect(gate.listFacts()).toBe(gate.listFacts());

    change({ apiGate: { ...apiGate, allow: [rule('/new')] } });
    expect(await read(PAGE)).toContain('/api/hello/new');
    expect(await read(POLICY)).not.toContain('/public/999/x');
    change({ apiGate: { ...apiGate, allow: [rule('wrong')] } });
    expect(await read(PAGE)).toContain('has changed and is not in force');
    expect(await read(POLICY)).toContain('"problem":"auth.apiGate.allow[0]');
  });

  it('shows a sign-out, a refusal, and a setting of Backstage at once', async () => {
    const { change, get, post, read, sign } = await start();
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

    const auth = { dangerouslyDisableDefaultAuthPolicy: true };
    expect(await read(POLICY)).not.toContain('dangerouslyDisable');
    change({ apiGate, config: { backend: { auth } } });
    expect(JSON.parse((await read(POLICY)) as string)).toMatchObject({
      findings: expect.arrayContaining([
        expect.objectContaining({ id: 'no-barrier-behind' }),
      ]),
      facts: expect.arrayContaining([
        expect.objectContaining({ what: 'no barriers' }),
      ]),
    });
  });

  it('is for those alone who may read it now, whoever has read it before', async () => {
    const { change, read, sign, statusOf } = await start();
    for (const path of [PAGE, POLICY]) {
      expect(await read(path)).toContain('/public/99/x');
      const jane = bearer(await sign({ sub: JANE }));
      expect(await statusOf(path, jane)).toBe(403);
      expect(await statusOf(path)).toBe(401);
    }
    change({ apiGate: { ...apiGate, operators: [] } });
    expect([await read(PAGE), await read(POLICY)]).toEqual([403, 403]);
  });
});
