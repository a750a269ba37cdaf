// Starts a backend with the real `auth` plugin and the gate at each request of the test, and stops it again: the modules are
// loaded once.
import { createBackend } from '@backstage/backend-defaults';
import {
  coreServices,
  createServiceFactory,
} from '@backstage/backend-plugin-api';
import { ConfigReader } from '@backstage/config';
import type { JsonObject } from '@backstage/types';
import apiGate from '../../src';
import { recordingPlugin } from '../../src/__testUtils__/recordingPlugin';

async function startAndStop(config: JsonObject, withGate: boolean) {
  const hello = recordingPlugin('hello');
  const backend = createBackend();
  backend.add(
    createServiceFactory({
      service: coreServices.rootConfig,
      deps: {},
      factory: () => new ConfigReader(config),
    }),
  );
  backend.add(import('@backstage/plugin-auth-backend'));
  backend.add(import('@backstage/plugin-auth-backend-module-guest-provider'));
  backend.add(hello.feature);
  if (withGate) {
    backend.add(apiGate);
  }
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
