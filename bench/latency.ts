import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Load } from './measure';
import type { ServerProcess } from './ServerProcess';
import type { Tokens } from './Tokens';

/** A load that leaves the server idle in between, so that the waits for its own work show. */
const REQUESTS_PER_SECOND = 100;
const TURNS = 6;
const TURN_MS = 4_000;
const WARM_UP_MS = 3_000;
const LOADED_WITHIN_MS = 120_000;

export interface Latency {
  p50Millis: number;
  p99Millis: number;
}

/**
 * Compares the times in which servers answer the same requests. The servers take turns, so that the noise of a shared machine
 * meets each of them.
 */
export async function compareLatency(
  servers: { server: ServerProcess; load: Load }[],
): Promise<Latency[]> {
  for (const { server, load } of servers) {
    await sendSteadily(server, load, WARM_UP_MS);
  }
  const took = servers.map(() => [] as number[]);
  for (let turn = 0; turn < TURNS; turn += 1) {
    for (const [i, { server, load }] of servers.entries()) {
      took[i].push(...(await sendSteadily(server, load, TURN_MS)));
    }
  }
  return took.map(times => {
    const sorted = times.sort((a, b) => a - b);
    const at = (part: number) => sorted[Math.floor(part * sorted.length)];
    return { p50Millis: at(0.5), p99Millis: at(0.99) };
  });
}

/** Sends requests at their times, whether or not earlier ones are answered. Returns the milliseconds of each. */
async function sendSteadily(
  { url }: ServerProcess,
  load: Load,
  milliseconds: number,
): Promise<number[]> {
  const agent = new http.Agent({ keepAlive: true });
  const count = (milliseconds / 1000) * REQUESTS_PER_SECOND;
  const begunAt = performance.now();
  const answers = [];
  for (let i = 0; i < count; i += 1) {
    const at = begunAt + (i * 1000) / REQUESTS_PER_SECOND;
    await sleep(Math.max(0, at - performance.now()));
    answers.push(send(`${url}${load.path}`, load, agent));
  }
  const times = await Promise.all(answers);
  agent.destroy();
  return times;
}

function send(url: string, load: Load, agent: http.Agent): Promise<number> {
  const sentAt = performance.now();
  return new Promise((resolve, reject) => {
    http
      .get(url, { agent, headers: load.nextHeaders() }, res => {
        res.resume();
        res.once('end', () =>
          res.statusCode === load.status
            ? resolve(performance.now() - sentAt)
            : reject(new Error(`${load.path} was answered ${res.statusCode}`)),
        );
      })
      .once('error', reject);
  });
}

/** Revokes a number of sessions in a server's database, and waits until the server has read them all. */
export async function revokeSessions(
  server: ServerProcess,
  tokens: Tokens,
  sessions: number,
): Promise<void> {
  const { token, session } = tokens.session(server.url);
  await server.ask({ kind: 'revoke', sessions, last: session });
  const startedAt = performance.now();
  for (;;) {
    const { status } = await fetch(`${server.url}/api/trivial/x`, {
      headers: { authorization: `Bearer ${token}` },
    });
    if (status === 401) {
      await server.ask({ kind: 'age revocations' });
      return;
    }
    if (performance.now() - startedAt > LOADED_WITHIN_MS) {
      throw new Error(`${sessions} revoked sessions were not read in time`);
    }
    await sleep(500);
  }
}
