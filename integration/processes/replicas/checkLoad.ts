import { Agent } from 'node:http';
import { send, signOut, sleep } from '../../http';
import { expectEqual, Report } from '../../Report';
import type { BackendProcess } from '../../BackendProcess';
import { WITHIN_MS, World } from './World';

const USERS = 200;
const CONCURRENCY = 12;
const BEFORE_MS = 2_000;
const AFTER_MS = 8_000;

interface User {
  token: string;
  /** The replica at which the client signs out; `undefined` for a client that stays. */
  leavesAt?: BackendProcess;
  signOutSentAt?: number;
  acknowledgedAt?: number;
}

interface Sample {
  user: User;
  at: BackendProcess;
  startedAt: number;
  status: number;
}

export async function checkLoad(report: Report, world: World) {
  const { a, b } = world;
  const users = await Promise.all(
    Array.from({ length: 2 * USERS }, async (_, i): Promise<User> => {
      const leaves = i % 2 === 0;
      const sub = `user:default/${leaves ? 'leaves' : 'stays'}-${i}`;
      return {
        token: await world.sign({ sub }),
        leavesAt: leaves ? [a, b][(i / 2) % 2] : undefined,
      };
    }),
  );
  const leavers = users.filter(user => user.leavesAt);
  const agent = new Agent({ keepAlive: true });
  const samples: Sample[] = [];

  async function sample(user: User, at: BackendProcess, asBearer: boolean) {
    const startedAt = performance.now();
    const { status } = await send(at.port, {
      ...(asBearer
        ? { bearer: user.token }
        : { cookie: `token=${user.token}` }),
      agent,
    });
    samples.push({ user, at, startedAt, status });
  }

  let over = false;
  /** Requests with the tokens of all users in turn. Workers of one replica share the turn. */
  async function run(at: BackendProcess, turn: { next: number }) {
    while (!over) {
      const i = turn.next++;
      const round = Math.floor(i / users.length);
      await sample(users[i % users.length], at, round % 2 === 0);
    }
  }

  async function signUserOut(user: User) {
    user.signOutSentAt = performance.now();
    const { status } = await signOut(
      user.leavesAt!.port,
      `token=${user.token}`,
      { agent },
    );
    user.acknowledgedAt = performance.now();
    expectEqual('sign-out', status, 204);
  }

  await report.check(
    `${USERS} sign-outs at once hold in time under load, and nobody else is refused`,
    async () => {
      const workers = [a, b].flatMap(replica => {
        const turn = { next: 0 };
        return Array.from({ length: CONCURRENCY }, () => run(replica, turn));
      });
      // The promise is awaited below; a failure before that must not end the process.
      const working = Promise.all(workers);
      working.catch(() => {});
      try {
        await sleep(BEFORE_MS);
        await Promise.all(leavers.map(signUserOut));
        await sleep(AFTER_MS);
      } finally {
        over = true;
      }
      await working;
      const afterMs = samples.length;
      // All users send another request to both replicas, so that each has a late request.
      for (let i = 0; i < users.length; i += 10) {
        await Promise.all(
          users
            .slice(i, i + 10)
            .flatMap(user => [sample(user, a, true), sample(user, b, false)]),
        );
      }
      agent.destroy();
      return evaluate(leavers, samples, afterMs);
    },
  );
}

/** @throws Error if a request was accepted too late, or refused without reason */
function evaluate(leavers: User[], samples: Sample[], underLoad: number) {
  const wrong: string[] = [];
  let [worstSame, worstOther] = [-Infinity, -Infinity];
  let [accepted, refused, ofOthers] = [0, 0, 0];
  for (const { user, at, startedAt, status } of samples) {
    if (!user.leavesAt) {
      ofOthers += 1;
      if (status !== 200) {
        wrong.push(`${status} for one who stays`);
      }
    } else if (status === 200) {
      accepted += 1;
      const lateMs = startedAt - user.acknowledgedAt!;
      const isSame = at === user.leavesAt;
      if (isSame) {
        worstSame = Math.max(worstSame, lateMs);
      } else {
        worstOther = Math.max(worstOther, lateMs);
      }
      if (lateMs > (isSame ? 0 : WITHIN_MS)) {
        wrong.push(
          `accepted ${Math.round(lateMs)} ms after the sign-out, at the ${isSame ? 'same' : 'other'} replica`,
        );
      }
    } else {
      refused += 1;
      if (status !== 401 || startedAt < user.signOutSentAt! - 1_000) {
        wrong.push(
          `${status}, begun ${Math.round(startedAt - user.signOutSentAt!)} ms after the sign-out was sent`,
        );
      }
    }
  }
  if (wrong.length > 0) {
    throw new Error(
      `${wrong.length} wrong of ${samples.length}: ${[...new Set(wrong)].slice(0, 5).join('; ')}`,
    );
  }
  const slowest = Math.max(
    ...leavers.map(user => user.acknowledgedAt! - user.signOutSentAt!),
  );
  return [
    `last accepted request began ${Math.round(worstOther)} ms after the sign-out's answer at the other replica`,
    `${Math.round(worstSame)} ms at the same`,
    `${samples.length} requests (${underLoad} under load): ${ofOthers} of those who stay, all accepted, and of the others ${accepted} accepted, ${refused} refused`,
    `slowest sign-out answered in ${Math.round(slowest)} ms`,
  ].join('; ');
}
