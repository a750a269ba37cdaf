// Measures what readers of the policy cost users: see `run`.
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { mapValues, merge } from 'lodash';
import {
  accessWith,
  staticToken,
} from '../../../src/__tests__/__testUtils__/externalAccess';
import { freePort } from '../../../src/__tests__/__testUtils__/freePort';
import { backendConfig } from '../../../src/__tests__/__testUtils__/startBackend';
import { BackendProcess } from '../../BackendProcess';
import { send } from '../../http';
import { Run, runChecks } from '../../runChecks';
import type { Reading } from './read';

const RUNS = 3;
const TURNS = Number(process.argv[2] ?? 15);
const MAX_RATIO = 1.5;
const READER = 'a-token-of-a-monitoring-service';
const USERS_PATH = '/api/plugin-0/data';
const PAGE = '/api/auth/api-gate/';
const NONE = 'no readers';

/** What readers ask for, 50 times a second. Browsers accept compressed answers, and so do most clients. */
const READERS: Record<string, Reading> = {
  'page and policy': { paths: [PAGE, `${PAGE}v1/policy`] },
  'page and policy, as browsers ask': {
    paths: [PAGE, `${PAGE}v1/policy`],
    headers: { 'Accept-Encoding': 'gzip, deflate, br' },
  },
  questions: {
    paths: [
      `${PAGE}?request=GET+/api/plugin-7/public/COUNT`,
      `${PAGE}?id=COUNT`,
    ],
  },
};

/** Sends 100 requests of users a second, for two seconds. Returns their times in milliseconds. */
async function measure(port: number, token: string): Promise<number[]> {
  const times: number[] = [];
  const pending: Promise<void>[] = [];
  const begin = performance.now();
  for (let i = 0; i < 200; i += 1) {
    // A request that the backend can't take in time waits, and its time has the wait.
    const due = begin + i * 10;
    await wait(Math.max(0, due - performance.now()));
    pending.push(
      send(port, { path: USERS_PATH, bearer: token }).then(({ status }) => {
        times.push(status === 200 ? performance.now() - due : Infinity);
      }),
    );
  }
  await Promise.all(pending);
  return times;
}

/** Returns a reading of as many bytes, in as many answers, from a route that does no work. It shows what the readers cost as such. */
async function controlOf(port: number, reading: Reading): Promise<Reading> {
  const { headers } = reading;
  const paths = reading.paths.map(async path => {
    const answer = await send(port, { path, headers, bearer: READER });
    return `/api/control/${answer.headers['content-length']}`;
  });
  return { headers, paths: await Promise.all(paths) };
}

const formatAll = (ratios: number[]) =>
  ratios.map(ratio => ratio.toFixed(2)).join(', ');

function percentile99(times: number[]): number {
  return times.sort((a, b) => a - b)[Math.floor(times.length * 0.99)];
}

async function checkReaders({ report, folder, createKey, atExit }: Run) {
  const key = await createKey();
  const port = await freePort();
  const backend = new BackendProcess('readers', port, {
    module: join(__dirname, 'backend.ts'),
    logFile: join(folder, 'backend.log'),
    config: merge(
      backendConfig(port),
      key.config,
      accessWith(staticToken(READER, 'monitoring')),
      { auth: { providers: { guest: {} } } },
    ),
  });
  await backend.start();
  atExit.push(() => backend.killNow());
  const token = await key.sign({ iss: `http://localhost:${port}/api/auth` });
  const readers = fork(join(__dirname, 'read.ts'), [String(port), READER]);
  atExit.push(() => readers.kill());
  const measureWith = async (reading: Reading) => {
    readers.send(reading);
    const times = await measure(port, token);
    return readers.exitCode === null ? times : [Infinity];
  };

  const readings: Record<string, Reading> = { [NONE]: { paths: [] } };
  for (const [name, reading] of Object.entries(READERS)) {
    readings[name] = reading;
    readings[`${name}: control`] = await controlOf(port, reading);
  }
  // Code that runs often is compiled by then.
  for (const reading of Object.values(readings)) {
    await measureWith(reading);
  }
  const ratios: Record<string, number[]> = {};
  for (let run = 0; run < RUNS; run += 1) {
    const times: Record<string, number[]> = {};
    // Pauses of the garbage collector and of the machine come in any of them: so they take turns, and a run has many turns.
    for (let turn = 0; turn < TURNS; turn += 1) {
      for (const [name, reading] of Object.entries(readings)) {
        (times[name] ??= []).push(...(await measureWith(reading)));
      }
    }
    const p99 = mapValues(times, percentile99);
    for (const [name, millis] of Object.entries(p99)) {
      console.log(`${name}: users' p99 ${millis.toFixed(1)} ms`);
      (ratios[name] ??= []).push(millis / p99[NONE]);
    }
  }
  for (const name of Object.keys(READERS)) {
    const all = ratios[name];
    const control = ratios[`${name}: control`];
    const median = [...all].sort((a, b) => a - b)[Math.floor(RUNS / 2)];
    await report.check(
      `[P89] users' 99th percentile with 50 readers a second (${name}), in times of that without`,
      async () => {
        const toControl = all.map((ratio, run) => ratio / control[run]);
        const text = `${formatAll(all)} (with a route that does no work: ${formatAll(control)}; in times of that: ${formatAll(toControl)})`;
        if (!(median <= MAX_RATIO)) {
          throw new Error(`${text}: the median is above ${MAX_RATIO}`);
        }
        return text;
      },
    );
  }
}

runChecks({ name: 'readers', limitMs: 900_000 }, checkReaders);
