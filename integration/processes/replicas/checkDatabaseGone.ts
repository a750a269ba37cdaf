import { send, signOut, sleep, until } from '../../http';
import { expectEqual, Report } from '../../Report';
import { POLL_MS, WITHIN_MS, World } from './World';

/** The duration of the outage, long enough that both replicas have tried to read the database. */
const AWAY_MS = POLL_MS + 500;

export async function checkDatabaseGone(report: Report, world: World) {
  const { a, b, authDatabase, connect } = world;
  const stays = await world.sign({ sub: 'user:default/stays' });
  const leftBefore = await world.sign({ sub: 'user:default/left-before' });
  expectEqual(
    'a sign-out before',
    (await signOut(a.port, `token=${leftBefore}`)).status,
    204,
  );
  await sleep(WITHIN_MS);

  /** Expects that both replicas refuse the sessions on the list, with and without a database. */
  async function expectKnownList(leaves: string) {
    for (const [at, token, expected] of [
      [a, stays, 200],
      [b, stays, 200],
      [a, leftBefore, 401],
      [b, leftBefore, 401],
      [a, leaves, 401],
    ] as const) {
      const { status } = await send(at.port, { bearer: token });
      expectEqual(`meanwhile, at ${at.name}`, status, expected);
    }
  }

  async function untilBRefuses(token: string, limitMs: number) {
    const tookMs = await until('B refuses', limitMs, async () => {
      const { status } = await send(b.port, { bearer: token });
      return status === 401;
    });
    return `${Math.round(tookMs)} ms`;
  }

  await report.check(
    'the database hangs: a sign-out is in force at its replica at once, nobody else waits, and it spreads afterwards',
    async () => {
      const leaves = await world.sign({ sub: 'user:default/leaves-hanging' });
      const database = connect(authDatabase);
      const lock = await database.transaction();
      try {
        await lock.raw('LOCK TABLE api_gate_revocations');
        let answeredAt: number | undefined;
        const answer = signOut(a.port, `token=${leaves}`).finally(() => {
          answeredAt = performance.now();
        });
        const sentAt = performance.now();
        answer.catch(() => {});
        const inForce = await until('A refuses', 500, async () => {
          const { status } = await send(a.port, { bearer: leaves });
          return status === 401;
        });
        await sleep(AWAY_MS);
        const early =
          answeredAt === undefined
            ? `no answer in ${AWAY_MS} ms`
            : `answered ${(await answer).status} in ${Math.round(answeredAt - sentAt)} ms`;
        await expectKnownList(leaves);
        await lock.commit();
        const { status } = await answer;
        expectEqual('in the end', [204, 503].includes(status), true);
        // The replica writes the revocation at its next poll after the 503.
        const spread = await untilBRefuses(leaves, POLL_MS + WITHIN_MS);
        return `in force at A in ${Math.round(inForce)} ms; ${early}; ${status} in the end, and at B ${spread} after that`;
      } finally {
        if (!lock.isCompleted()) {
          await lock.rollback();
        }
        await database.destroy();
      }
    },
  );

  await report.check(
    'the database refuses connections: a sign-out is 503 and in force at its replica, and spreads when the database is back',
    async () => {
      const leaves = await world.sign({ sub: 'user:default/leaves-refusing' });
      const postgres = connect('postgres');
      const allow = (allowed: boolean) =>
        postgres.raw(
          `ALTER DATABASE "${authDatabase}" ALLOW_CONNECTIONS ${allowed}`,
        );
      try {
        await allow(false);
        await postgres.raw(
          'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ?',
          [authDatabase],
        );
        const sentAt = performance.now();
        const { status } = await signOut(a.port, `token=${leaves}`);
        const answered = Math.round(performance.now() - sentAt);
        expectEqual('sign-out', status, 503);
        await expectKnownList(leaves);
        await sleep(AWAY_MS);
        await expectKnownList(leaves);
        expectEqual(
          'at B, which can not know',
          (await send(b.port, { bearer: leaves })).status,
          200,
        );
        await allow(true);
        // Replica A writes the revocation at its next poll, and B reads it at the poll after that.
        const spread = await untilBRefuses(leaves, POLL_MS + WITHIN_MS);
        return `503 in ${answered} ms; at B ${spread} after the database was back`;
      } finally {
        await allow(true);
        await postgres.destroy();
      }
    },
  );
}
