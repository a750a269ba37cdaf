import type { PolicyReport } from '../../../src/operators/reports/describePolicy';
import { send, until } from '../../http';
import { expectEqual, Report } from '../../Report';
import type { World } from './World';

/** The token of a service that may read the policy. */
export const READER_TOKEN = 'token-of-the-policy-reader';

/** The path that a rule of the replicas opens. */
export const OPEN_PATH = '/open';

const SEEN_WITHIN_MS = 90_000;

const hit = async (port: number) => {
  const { status } = await send(port, { path: `/api/hello${OPEN_PATH}` });
  expectEqual('the public path', status, 200);
};

async function requestsSeenAt(port: number): Promise<number> {
  const { body } = await send(port, {
    path: '/api/auth/api-gate/v1/policy',
    bearer: READER_TOKEN,
  });
  const { usage }: PolicyReport = JSON.parse(body);
  return usage!.rules[0].requests30d;
}

/** Uses the rule at one replica, and returns the check that the other reports it, which takes up to a minute and a half. */
export async function useRule({ a }: World) {
  await hit(a.port);
  const usedAt = performance.now();
  return (report: Report, world: World) => checkUsage(report, world, usedAt);
}

async function checkUsage(report: Report, { a, b }: World, usedAt: number) {
  await report.check(
    '[P29] a use of a rule at one replica is in the report of the other within 90 s, and still after kill -9 of both',
    async () => {
      const left = SEEN_WITHIN_MS - (performance.now() - usedAt);
      await until('B reports it', left, async () => {
        return (await requestsSeenAt(b.port)) === 1;
      });
      const tookMs = performance.now() - usedAt;
      await hit(a.port);
      expectEqual('at A, at once', await requestsSeenAt(a.port), 2);
      await Promise.all([a.kill(), b.kill()]);
      await a.start();
      await b.start();
      for (const { port, name } of [a, b]) {
        const seen = await requestsSeenAt(port);
        expectEqual(`after the kill, at ${name}: ${seen}`, seen >= 1, true);
      }
      return `in ${Math.round(tookMs / 1000)} s`;
    },
  );
}
