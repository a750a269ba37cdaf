import { gateCookieOf, send, signOut, sleep, until } from '../../http';
import { expectEqual, Report, spread } from '../../Report';
import { POLL_MS, WITHIN_MS, World } from './World';

const ROUNDS = 10;

/** Signs the guest in through nginx, and returns the browser's credentials. */
async function signIn({ nginx }: World) {
  const signedIn = await send(nginx.main, {
    path: '/api/auth/guest/refresh',
    headers: { 'X-Requested-With': 'XMLHttpRequest' },
  });
  expectEqual('sign-in', signedIn.status, 200);
  const bearer: string = JSON.parse(signedIn.body).backstageIdentity.token;
  const called = await send(nginx.main, { bearer });
  expectEqual('a bearer call', called.status, 200);
  const cookie = gateCookieOf(called);
  expectEqual('the cookie that it set', cookie, `token=${bearer}`);
  return { bearer, cookie };
}

export async function checkSignOut(report: Report, world: World) {
  const { a, b } = world;
  await report.check(
    `sign-out at one replica holds there at once, and at the other within ${WITHIN_MS} ms`,
    async () => {
      const bystander = await world.sign({ sub: 'user:default/bystander' });
      const times: number[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        // The other replica has just read the list: wait, so that the rest of its interval is spread evenly.
        await sleep((round / ROUNDS) * POLL_MS);
        const { bearer, cookie } = await signIn(world);
        for (const { name, port } of [a, b]) {
          const { status } = await send(port, { cookie });
          expectEqual(`the cookie at ${name}`, status, 200);
        }

        const signedOut = await signOut(a.port, cookie);
        const signedOutAt = performance.now();
        expectEqual('sign-out', signedOut.status, 204);
        for (const credentials of [{ cookie }, { bearer }]) {
          const { status } = await send(a.port, credentials);
          expectEqual('the same replica, afterwards', status, 401);
        }

        await until(
          'the other replica refuses the cookie',
          WITHIN_MS,
          async () => {
            const { status } = await send(b.port, { cookie });
            if (status !== 401) {
              expectEqual('the other replica, until then', status, 200);
            }
            return status === 401;
          },
        );
        times.push(performance.now() - signedOutAt);
        for (const [{ port }, credentials, expected] of [
          [b, { bearer }, 401],
          [b, { bearer: bystander }, 200],
          [a, { bearer: bystander }, 200],
        ] as const) {
          expectEqual(
            'afterwards',
            (await send(port, credentials)).status,
            expected,
          );
        }
      }
      return `${ROUNDS} rounds, ${spread(times)}`;
    },
  );
}
