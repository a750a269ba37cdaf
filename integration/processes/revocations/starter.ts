// Starts a backend with the real `auth` plugin and the gate at each request of the test, and stops it again: the modules are
// loaded once.
import type { JsonObject } from '@backstage/types';
import apiGate from '../../../src';
import { recordingPlugin } from '../../../src/__tests__/__testUtils__/recordingPlugin';
import { createChildBackend } from '../../createChildBackend';

async function startAndStop(config: JsonObject, withGate: boolean) {
  const hello = recordingPlugin('hello');
  const backend = createChildBackend(config, [
    hello.feature,
    ...(withGate ? [apiGate] : []),
  ]);
  try {
    await backend.start();
    const { baseUrl } = config.backend as { baseUrl: string };
    const signedIn = await fetch(`${baseUrl}/api/auth/guest/refresh`, {
      headers: { 'X-Requested-With': 'XMLHttpRequest' },
    });
    const { token } = (await signedIn.json()).backstageIdentity;
    const answer = await fetch(`${baseUrl}/api/hello/x`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    return answer.status;
  } finally {
    await backend.stop();
  }
}

process.once('disconnect', () => process.exit());
process.on('message', async ({ id, config, withGate }: any) => {
  try {
    process.send!({ id, reply: await startAndStop(config, withGate) });
  } catch (error) {
    process.send!({ id, error: String(error) });
  }
});
process.send!('started');
