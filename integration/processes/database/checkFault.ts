import type { BackendProcess } from '../../BackendProcess';
import { send, signOut, sleep, until } from '../../http';
import { expectEqual, Report, spread } from '../../Report';
import { Activity } from './Activity';
import { ROLE_CONNECTIONS, World } from './World';

/** Connections whose last statement is one of the gate's may wait in the pool of the plugin. */
const CONNECTIONS_PER_PROCESS = 4;

const AGREE_WITHIN_MS = 10_000;
const IN_FORCE_WITHIN_MS = 500;

// A sign-in with the gate may take this much longer than one without, since both are behind a fault, on a busy machine.
const SLOWER_MS = 2_000;

export interface Fault {
  title: string;
  /** The name in the table of the long form. */
  name: string;
  lastsMs: number;
  begin(): Promise<unknown>;
  end(): Promise<unknown>;
  /** The status of a sign-out while the fault lasts. */
  signOut: 204 | 503;
  /** Whether a sign-in takes as long as without the fault. Otherwise it is compared with a backend without the gate. */
  signsIn: boolean;
}

/** The answers to sign-ins at a backend, and how long each took. `0` stands for no answer. */
interface SignIns {
  statuses: number[];
  tookMs: number[];
}

async function signInUntil(
  { port }: BackendProcess,
  isOver: () => boolean,
): Promise<SignIns> {
  const statuses: number[] = [];
  const tookMs: number[] = [];
  while (!isOver()) {
    const at = performance.now();
    statuses.push(
      await send(port, {
        path: '/api/auth/guest/refresh',
        headers: { 'X-Requested-With': 'XMLHttpRequest' },
      }).then(
        ({ status }) => status,
        () => 0,
      ),
    );
    tookMs.push(performance.now() - at);
    await sleep(at + 1_000 - performance.now());
  }
  return { statuses, tookMs };
}

const succeeded = ({ statuses }: SignIns) =>
  statuses.filter(status => status === 200).length;

function format(all: SignIns[]): string {
  const joined = {
    statuses: all.flatMap(({ statuses }) => statuses),
    tookMs: all.flatMap(({ tookMs }) => tookMs),
  };
  return `${succeeded(joined)} of ${joined.statuses.length} are 200, ${spread(joined.tookMs)}`;
}

/** Sends a user's requests to each replica and expects that they pass. Returns their number. */
async function passUntil(
  replicas: BackendProcess[],
  token: string,
  isOver: () => boolean,
): Promise<number> {
  let passed = 0;
  while (!isOver()) {
    for (const { name, port } of replicas) {
      const { status } = await send(port, { bearer: token });
      expectEqual(`a user at ${name}`, status, 200);
      passed += 1;
    }
    await sleep(500);
  }
  return passed;
}

/** Signs out at a replica, and expects that it refuses the session before the database has answered. */
async function signOutDuring({ name, port }: BackendProcess, token: string) {
  const answer = signOut(port, `token=${token}`);
  answer.catch(() => {});
  await until(`${name} refuses`, IN_FORCE_WITHIN_MS, async () => {
    const { status } = await send(port, { bearer: token });
    return status === 401;
  });
  return (await answer).status;
}

/** Expects that sign-ins at each replica fared as those of a backend without the gate. */
function expectAsStock(name: string, gate: SignIns, stock: SignIns) {
  const part = (all: SignIns) => succeeded(all) / all.statuses.length;
  const worst = (all: SignIns) => Math.max(...all.tookMs);
  if (
    part(gate) < part(stock) - 1 / gate.statuses.length ||
    worst(gate) > worst(stock) + SLOWER_MS
  ) {
    throw new Error(
      `sign-ins at ${name}: ${format([gate])}; without the gate: ${format([stock])}`,
    );
  }
}

/** @returns the cells of the table of the long form */
export async function checkFault(
  report: Report,
  world: World,
  fault: Fault,
): Promise<string[]> {
  const { lastsMs } = fault;
  const cells = [fault.name, `${lastsMs / 1000} s`];
  await report.check(fault.title, async () => {
    const { replicas, stock, pooled, database, sign } = world;
    const gated = [...replicas, pooled];
    const [stays, leaves] = await Promise.all(
      ['stays', 'leaves'].map(sub => sign(`user:default/${sub}-${fault.name}`)),
    );
    const activity = new Activity(database);
    await fault.begin();
    let isOver = false;
    const over = () => isOver;
    const ended = sleep(lastsMs).then(async () => {
      isOver = true;
      await fault.end();
      return performance.now();
    });
    const signIns = Promise.all(
      [...replicas, stock].map(backend => signInUntil(backend, over)),
    );
    const passing = passUntil(replicas, stays, over);
    const leaving = sleep(lastsMs / 4).then(() =>
      signOutDuring(replicas[0], leaves),
    );
    const agreeing = ended.then(async endedAt => {
      for (const { name, port } of gated) {
        const left = AGREE_WITHIN_MS - (performance.now() - endedAt);
        await until(
          `${name} refuses what ${replicas[0].name} ended`,
          left,
          async () => {
            const { status } = await send(port, { bearer: leaves });
            return status === 401;
          },
        );
      }
      return performance.now() - endedAt;
    });
    const all = [signIns, passing, leaving, agreeing] as const;
    await Promise.allSettled(all);
    const most = await activity.stop();
    const [signedIn, passed, left, agreedMs] = await Promise.all(all);
    const ofStock = signedIn.pop()!;

    const { gate, waiting, sessions } = most('replicas');
    const bound = CONNECTIONS_PER_PROCESS * replicas.length;
    // A replica opens no more of the plugin's connections than a backend without the gate, but for those that it had before.
    const allowed = replicas.length * (most('stock').sessions + 1) + bound;
    cells.push(
      `${gate} of ${bound}`,
      `${waiting}`,
      `${sessions} of ${ROLE_CONNECTIONS}, ${most('stock').sessions} without the gate`,
      `${most('pooled').waiting}`,
      format(signedIn),
      format([ofStock]),
      `${passed}`,
      `${left}`,
      `${(agreedMs / 1000).toFixed(1)} s`,
    );
    const measured = cells.slice(2).join(' · ');
    if (
      gate > bound ||
      sessions > allowed ||
      most('pooled').waiting > CONNECTIONS_PER_PROCESS ||
      left !== fault.signOut
    ) {
      throw new Error(
        `at most ${bound} of the gate, ${allowed} in all, and ${fault.signOut} to a sign-out expected: ${measured}`,
      );
    }
    signedIn.forEach((each, i) => {
      if (fault.signsIn) {
        const { name } = replicas[i];
        expectEqual(`${name}: ${measured}`, [...new Set(each.statuses)], [200]);
      } else {
        expectAsStock(replicas[i].name, each, ofStock);
      }
    });
    return measured;
  });
  return cells;
}
