import autocannon from 'autocannon';
import type { ServerProcess } from './ServerProcess';

export const CONNECTIONS = 32;

export type Headers = Record<string, string>;

/** Requests to one path, and the expected answer to each. */
export interface Load {
  path: string;
  status: number;
  /** A second status that is accepted. */
  otherStatus?: number;
  /** Returns the headers of the next request. */
  nextHeaders(): Headers;
}

export interface Measurement {
  cpuMicrosPerRequest: number;
  requestsPerSecond: number;
  p50Millis: number;
  p99Millis: number;
  outboundRequests: number;
}

/**
 * Sends a fixed number of requests, not for a fixed time: requests that are cut off at the end would be cost without work.
 *
 * @throws Error if any answer is not the expected one: a fast wrong answer is no result
 */
export async function measure(
  server: ServerProcess,
  load: Load,
  amount: number,
): Promise<Measurement> {
  const before = await server.ask({ kind: 'usage' });
  const startedAt = performance.now();
  const latencies: number[] = [];
  const unexpected = new Set<number>();
  let endedAt = startedAt;
  const { errors } = await autocannon({
    url: server.url,
    connections: CONNECTIONS,
    amount,
    // The interval of the checks whether all requests have been answered.
    sampleInt: 50,
    requests: [
      {
        path: load.path,
        setupRequest: request => ({ ...request, headers: load.nextHeaders() }),
      },
    ],
    // autocannon's own histogram has whole milliseconds only.
    setupClient: client =>
      client.on('response', (status, _bytes, milliseconds) => {
        endedAt = performance.now();
        latencies.push(milliseconds);
        if (status !== load.status && status !== load.otherStatus) {
          unexpected.add(status);
        }
      }),
  });
  const after = await server.ask({ kind: 'usage' });

  if (latencies.length !== amount || unexpected.size > 0) {
    throw new Error(
      `${load.path} must be answered ${amount} times with ${load.status}: ${latencies.length} answers, ${errors} errors, also ${[...unexpected]}`,
    );
  }
  latencies.sort((a, b) => a - b);
  return {
    cpuMicrosPerRequest: (after.cpuMicros - before.cpuMicros) / amount,
    requestsPerSecond: (amount / (endedAt - startedAt)) * 1000,
    p50Millis: latencies[Math.floor(amount * 0.5)],
    p99Millis: latencies[Math.floor(amount * 0.99)],
    outboundRequests: after.outboundRequests - before.outboundRequests,
  };
}
