import { send, signOut } from '../../http';
import { expectEqual, Report } from '../../Report';
import type { World } from './World';

export async function checkRestart(report: Report, world: World) {
  const replicas = [world.a, world.b];
  await report.check(
    'kill -9 of both right after a sign-out: it holds after their start, and during it',
    async () => {
      const revoked = await world.sign({ sub: 'user:default/revoked' });
      const other = await world.sign({ sub: 'user:default/not-revoked' });
      expectEqual(
        'before',
        (await send(world.b.port, { bearer: revoked })).status,
        200,
      );
      const signedOut = await signOut(world.a.port, `token=${revoked}`);
      expectEqual('sign-out', signedOut.status, 204);
      await Promise.all(replicas.map(replica => replica.kill()));

      const startedAt = performance.now();
      const seen = new Map<string, number>();
      let starting = true;
      // The requests begin when the replica listens, not when it reports that it is up.
      const probes = replicas.map(async ({ port }) => {
        while (starting) {
          for (const credentials of [
            { bearer: revoked },
            { cookie: `token=${revoked}` },
          ]) {
            const status = await send(port, credentials).then(
              answer => String(answer.status),
              () => 'no connection',
            );
            seen.set(status, (seen.get(status) ?? 0) + 1);
          }
          await new Promise(resolve => setTimeout(resolve, 5));
        }
      });
      try {
        await Promise.all(replicas.map(replica => replica.start()));
      } finally {
        starting = false;
        await Promise.all(probes);
      }
      const tookMs = performance.now() - startedAt;

      for (const { name, port } of replicas) {
        for (const [token, expected] of [
          [revoked, 401],
          [other, 200],
        ] as const) {
          for (const credentials of [
            { bearer: token },
            { cookie: `token=${token}` },
          ]) {
            const { status } = await send(port, credentials);
            expectEqual(
              `${token === other ? 'the other user' : 'the revoked token'} at ${name}, as ${Object.keys(credentials)}`,
              status,
              expected,
            );
          }
        }
      }
      const answers = [...seen].map(([status, n]) => `${status} × ${n}`);
      if (seen.has('200')) {
        throw new Error(`accepted while starting: ${answers.join(', ')}`);
      }
      return `both up again in ${Math.round(tookMs)} ms; the revoked token meanwhile: ${answers.join(', ')}`;
    },
  );
}
