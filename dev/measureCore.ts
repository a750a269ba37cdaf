// Prints, as JSON, the files of the gate that requests touch, and the turns in the way of an upgrade (see traceCalls.ts). The test
// src/__tests__/documents/requests.test.ts has the limits. Usage:
//
//   node -r @backstage/cli-node/config/nodeTransform.cjs dev/measureCore.ts
import { Trace, traceCalls } from './traceCalls'; // First: it instruments the modules below.
import { rawUpgrade } from '../src/__tests__/__testUtils__/rawUpgrade';
import { createSigningKey } from '../src/__tests__/__testUtils__/signingKey';
import { startBackend } from '../src/__tests__/__testUtils__/startBackend';
import { webSocketPlugin } from '../src/__tests__/__testUtils__/webSocketPlugin';

/** Each request is sent so many times, since the first one fills caches, and a timer may fire during any of them. */
const REPEATS = 10;

/** Returns the trace of the request that touches the fewest files, with all its turns. */
async function traceRequest(
  expectedStatus: number,
  send: () => Promise<{ status: number; destroy?(): void }>,
): Promise<Trace> {
  const traces: Trace[] = [];
  for (let i = 0; i < REPEATS; i += 1) {
    const trace = await traceCalls(async () => {
      const { status, destroy } = await send();
      destroy?.();
      if (status !== expectedStatus) {
        throw new Error(`Answer ${status}, expected ${expectedStatus}`);
      }
    });
    if (trace.touched.size === 0) {
      throw new Error('No call of the gate was traced: see traceCalls.ts');
    }
    traces.push(trace);
  }
  // Where a request has waited, the stack ends, and shows fewer turns.
  return traces.sort(
    (a, b) =>
      a.touched.size - b.touched.size || b.turns.length - a.turns.length,
  )[0];
}

async function main(): Promise<void> {
  const key = await createSigningKey();
  const { feature } = webSocketPlugin('live', { '/ws': undefined });
  const backend = await startBackend({
    features: [feature],
    config: key.config,
  });
  const token = await key.sign({ iss: `${backend.url}/api/auth` });
  // These requests share a connection.
  const request = async (headers: Record<string, string>) => {
    const response = await fetch(`${backend.url}/api/live/x`, { headers });
    await response.text();
    return response;
  };
  const upgrade = () =>
    rawUpgrade(backend.port, '/api/live/ws', [
      `Sec-WebSocket-Protocol: ${token}`,
    ]);

  const anonymous = await traceRequest(401, () => request({}));
  // A browser that has got the cookie sends both.
  const bearer = await traceRequest(200, () =>
    request({ authorization: `Bearer ${token}`, cookie: `token=${token}` }),
  );
  const cookie = await traceRequest(200, () =>
    request({ cookie: `token=${token}` }),
  );
  const { turns } = await traceRequest(101, upgrade);
  await backend.stop();
  await key.remove();

  const figures = {
    anonymous: [...anonymous.touched],
    bearer: [...bearer.touched],
    cookie: [...cookie.touched],
    turns,
  };
  process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`);
}

main().then(() => process.exit());
