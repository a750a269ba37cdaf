import type { JsonObject } from '@backstage/types';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { signedBackends } from '../__testUtils__/signedBackends';
import { startLegacyGate } from '../__testUtils__/startLegacyGate';

const RULE = { plugin: 'events', path: '/http/github', methods: ['POST'] };
const TARGET = '/api/events/http/github';
const MESSAGE =
  'auth.apiGate.allow[0] opens the webhook of github, and without events.modules.github.webhookSecret everybody can publish events: set it, or remove the rule';

const backends = signedBackends();
afterEach(backends.stopAll);

const secretOf = (topic: string, webhookSecret: unknown) =>
  ({ events: { modules: { [topic]: { webhookSecret } } } }) as JsonObject;
const appWith = (app: JsonObject) => ({
  integrations: { github: [{ host: 'github.com', apps: [app] }] },
});
const SECRET = secretOf('github', 'a secret');

async function start(config: JsonObject, allow: object[] = [RULE]) {
  const events = recordingPlugin('events');
  const apiGate = { allow } as JsonObject;
  const backend = await backends.start({
    features: [events.feature],
    config,
    apiGate,
  });
  const post = async () => (await backend.request('POST', TARGET)).status;
  return { ...backend, post };
}

describe('a rule for the webhook of a module', () => {
  it.each([
    [SECRET, RULE],
    [appWith({ appId: 1, webhookSecret: 'a secret' }), RULE],
    // No module of Backstage's serves these.
    [{}, { ...RULE, path: '/http/own' }],
    [{}, { ...RULE, plugin: 'hello' }],
    [{}, { ...RULE, methods: ['GET'] }],
  ] as [JsonObject, object][])('[P84] starts with %j', async (config, rule) => {
    const backend = await start(config, [rule]);
    expect(backend.logged('API gate: enforce')).toHaveLength(1);
    expect(JSON.stringify(backend.log)).not.toContain('a secret');
  });

  it.each([
    {},
    secretOf('github', ''),
    secretOf('github', { a: 'b' }),
    secretOf('gitlab', 'a secret'),
    appWith({ appId: 1 }),
    { events: 'x' },
  ] as JsonObject[])('[P84] stops the start with %j', async config => {
    await expect(start(config)).rejects.toThrow(MESSAGE);
    // Express ignores the case.
    const rule = { ...RULE, path: '/http/GitHub' };
    await expect(start(config, [rule])).rejects.toThrow(MESSAGE);
  });

  it('[P84] is not opened by a change where the module has read no secret at the start', async () => {
    const backend = await start({}, []);
    backend.change({ config: SECRET, apiGate: { allow: [RULE] } });
    expect(await backend.post()).toBe(401);
    expect(
      backend.logged(
        'auth.apiGate.allow[0] opens the webhook of github, and without events.modules.github.webhookSecret everybody can publish events: the module has not read it, so restart the backend',
        'error',
      ),
    ).toHaveLength(1);
    await backends.stopAll();
    expect(await (await start(SECRET)).post()).toBe(200);
  });

  it('[P84] stays as it is where a change removes the secret', async () => {
    const backend = await start(SECRET);
    backend.change({ config: {}, apiGate: { allow: [RULE] } });
    expect(await backend.post()).toBe(200);
    expect(backend.logged(MESSAGE, 'error')).toHaveLength(1);
    backend.change({ config: SECRET, apiGate: { allow: [] } });
    expect(await backend.post()).toBe(401);
  });

  it('[P84] stops the start on the legacy system too', async () => {
    await expect(
      startLegacyGate({ apiGate: { allow: [RULE] } as JsonObject }),
    ).rejects.toThrow(MESSAGE);
  });
});
