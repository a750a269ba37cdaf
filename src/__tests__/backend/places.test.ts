import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { signedBackends } from '../__testUtils__/signedBackends';

const backends = signedBackends();
afterEach(backends.stopAll);

// wrongSettings.test.ts has each place. Here are the start of a backend, and a changed file.
const MISPLACED = { backend: { apiGate: { mode: 'report-only' } } };
const MESSAGE = 'backend.apiGate is not known: write auth.apiGate, ';
const features = () => [recordingPlugin('pub').feature];

describe('[P102] settings of the gate at a wrong place', () => {
  it('stop the start of a backend', async () => {
    await expect(
      backends.start({ config: MISPLACED, features: features() }),
    ).rejects.toThrow(MESSAGE);
  });

  it('are rejected in a changed file, and the former policy stays', async () => {
    const { change, logged, statusOf } = await backends.start({
      apiGate: { allow: [{ plugin: 'pub', path: '/open' }] },
      withAuth: false,
      features: features(),
    });
    change({ config: MISPLACED });
    expect(logged(`is wrong: ${MESSAGE}`, 'error')).toHaveLength(1);
    expect(await statusOf('/api/pub/open')).toBe(200);
    change({ apiGate: {} });
    expect(await statusOf('/api/pub/open')).toBe(401);
  });
});
