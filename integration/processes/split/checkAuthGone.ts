import { Credentials, send, signOut, sleep, until } from '../../http';
import { expectEqual, Report } from '../../Report';
import { EXTERNAL, forged, HELLO, tokenOf, World } from './World';

// Backstage keeps the keys of users, and of each plugin, this long.
const KEYS_KEPT_MS = 10 * 60_000;
const BACK_WITHIN_MS = 10_000;

export async function checkAuthGone(report: Report, world: World) {
  const { first, second } = world;
  const service = await tokenOf(first, 'catalog', 'hello');
  let user = 0;
  /** Returns a token that no cache has. */
  const unseen = () => {
    user += 1;
    return world.sign({ sub: `user:default/unseen-${user}` });
  };
  const call = (credentials: Credentials) =>
    send(second.port, { path: HELLO, ...credentials });

  async function expectStatuses(
    expected: Record<string, number>,
  ): Promise<string> {
    const token = await unseen();
    const callers: Record<string, Credentials> = {
      nobody: {},
      'a user': { bearer: await unseen() },
      'the cookie': { cookie: `token=${token}` },
      'a forged token': { bearer: forged(token) },
      'a forged cookie': { cookie: `token=${forged(token)}` },
      'a service from there': { bearer: service },
      'a script': { bearer: EXTERNAL.unrestricted },
    };
    const statuses: Record<string, number> = {};
    for (const [name, credentials] of Object.entries(callers)) {
      const { status, headers, setCookies } = await call(credentials);
      statuses[name] = status;
      if (status === 503) {
        expectEqual(
          `${name}: Retry-After`,
          /^\d+$/.test(headers['retry-after'] ?? ''),
          true,
        );
        expectEqual(`${name}: Set-Cookie`, setCookies, []);
      }
    }
    expectEqual('statuses', statuses, expected);
    return JSON.stringify(statuses);
  }

  const UP = {
    nobody: 401,
    'a user': 200,
    'the cookie': 200,
    'a forged token': 401,
    'a forged cookie': 401,
    'a service from there': 200,
    'a script': 200,
  };
  // A token that can't be verified may be valid or forged.
  const FORGED_UNTOLD = { 'a forged token': 503, 'a forged cookie': 503 };
  const NO_KEYS = {
    ...FORGED_UNTOLD,
    'a user': 503,
    'the cookie': 503,
    'a service from there': 503,
  };

  await report.check('with the auth backend up', () => expectStatuses(UP));

  await report.check(
    'the auth backend hangs: cached keys go on serving',
    async () => {
      first.pause();
      try {
        const startedAt = performance.now();
        const { status } = await call({ bearer: await unseen() });
        const took = Math.round(performance.now() - startedAt);
        expectEqual('a user', status, 200);
        expectEqual('nobody waits', took < 1_000, true);
        return `a user passes in ${took} ms`;
      } finally {
        first.resume();
      }
    },
  );

  await first.kill();
  // The gate caches available keys for a second.
  await sleep(1_100);
  await report.check('killed: cached keys go on serving', () =>
    expectStatuses({ ...UP, ...FORGED_UNTOLD }),
  );

  await report.check('killed: what has no keys of there goes on', async () => {
    const { status } = await call({
      bearer: await tokenOf(second, 'notes', 'hello'),
    });
    expectEqual('a service of the second', status, 200);
    return 'services of the second among themselves';
  });

  await report.check('killed: a sign-out is in force, and 503', async () => {
    const token = await unseen();
    const signedOut = await signOut(second.port, `token=${token}`);
    expectEqual('sign-out', signedOut.status, 503);
    expectEqual('afterwards', (await call({ bearer: token })).status, 401);
    return 'at this backend';
  });

  await second.ask('forward clock', { milliseconds: KEYS_KEPT_MS + 1_000 });
  await report.check(
    'killed, once its keys are too old: 503, and the cookie stays',
    () => expectStatuses({ ...UP, ...NO_KEYS }),
  );

  await second.kill();
  await second.start();
  await report.check('killed, and the other starts meanwhile: 503', () =>
    expectStatuses({ ...UP, ...NO_KEYS }),
  );

  await report.check('it comes back: as before', async () => {
    await first.start();
    const took = await until('users pass', BACK_WITHIN_MS, async () => {
      const { status } = await call({ bearer: await unseen() });
      return status === 200;
    });
    // The gate caches an endpoint without keys for five seconds.
    await until('forged tokens are told', BACK_WITHIN_MS, async () => {
      const { status } = await call({ bearer: forged(await unseen()) });
      return status === 401;
    });
    const statuses = await expectStatuses(UP);
    return `users pass ${Math.round(took)} ms after its start; ${statuses}`;
  });
}
