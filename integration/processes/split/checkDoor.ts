import { send, signOut, until } from '../../http';
import { withSubject } from '../../../src/__tests__/__testUtils__/withSubject';
import { expectEqual, Report } from '../../Report';
import {
  CATALOG,
  EXTERNAL,
  forged,
  HELLO,
  tokenOf,
  usersPass,
  WITHIN_MS,
  World,
} from './World';

/** Checks a gateway that has no other plugin, and whose discovery maps all the others by `*`. */
export async function checkDoor(report: Report, world: World) {
  const { door, home } = world.createDoorAndHome();
  await Promise.all([door.start(), home.start()]);
  await usersPass(door.port, await world.sign());

  async function signIn() {
    const signedIn = await send(door.port, { path: '/api/auth/guest/refresh' });
    expectEqual('sign-in', signedIn.status, 200);
    return JSON.parse(signedIn.body).backstageIdentity.token as string;
  }

  await report.check(
    'a backend with a gateway alone lets in whom the one behind lets in',
    async () => {
      const bearer = await signIn();
      const callers = {
        nobody: {},
        'a user': { bearer },
        'the cookie': { cookie: `token=${bearer}` },
        'a forged token': { bearer: forged(bearer) },
        'catalog for hello': {
          bearer: await tokenOf(home, 'catalog', 'hello'),
        },
        'catalog for hello, for a user': {
          bearer: await tokenOf(home, 'catalog', 'hello', bearer),
        },
        'hello for catalog': {
          bearer: await tokenOf(home, 'hello', 'catalog'),
        },
        'a script for hello': { bearer: EXTERNAL.hello },
        'a script for catalog': { bearer: EXTERNAL.catalog },
      };
      const statuses: Record<string, number> = {};
      for (const [name, credentials] of Object.entries(callers)) {
        const { status } = await send(door.port, {
          path: HELLO,
          ...credentials,
        });
        statuses[name] = status;
      }
      expectEqual('statuses', statuses, {
        nobody: 401,
        'a user': 200,
        'the cookie': 200,
        'a forged token': 401,
        'catalog for hello': 200,
        'catalog for hello, for a user': 200,
        'hello for catalog': 401,
        'a script for hello': 200,
        'a script for catalog': 403,
      });
      return JSON.stringify(statuses);
    },
  );

  for (const [name, method, leave] of [
    [
      'the cookie endpoint',
      'PUT',
      (cookie: string) => signOut(door.port, cookie, { plugin: 'hello' }),
    ],
    [
      "a provider's logout, which only the backend with auth knows",
      'PATCH',
      (cookie: string) =>
        send(door.port, {
          method: 'POST',
          path: '/api/auth/guest/logout',
          headers: { 'Sec-Fetch-Site': 'same-origin' },
          cookie,
        }),
    ],
  ] as const) {
    await report.check(`sign-out through it by ${name}`, async () => {
      const bearer = await world.sign({ sub: `user:default/${name.length}` });
      const cookie = `token=${bearer}`;
      const before = await send(door.port, { path: CATALOG, cookie });
      expectEqual('before', before.status, 200);
      const { setCookies } = await leave(cookie);
      expectEqual(
        'the cookie is taken back',
        setCookies.some(line => line.startsWith('token=;')),
        true,
      );
      const at = async (port: number) => [
        (await send(port, { path: CATALOG, bearer })).status,
        (await send(port, { path: CATALOG, cookie })).status,
      ];
      expectEqual('behind it, at once', await at(home.port), [401, 401]);
      // The backend behind the gateway answers until then.
      const took = await until('it refuses by itself', WITHIN_MS, async () => {
        expectEqual('through it', await at(door.port), [401, 401]);
        // The log has the first refusal of each method.
        await send(door.port, { method, path: CATALOG, bearer });
        return new RegExp(`API gate refused a request.*="${method}"`).test(
          door.log,
        );
      });
      return `in ${Math.round(took)} ms at the gateway`;
    });
  }

  await report.check(
    'a token whose keys can not be had is 503, and one of no plugin 401',
    async () => {
      const unknown = await tokenOf(home, 'catalog', 'hello');
      const other = withSubject(unknown, 'nosuchplugin');
      const before = await send(door.port, { path: HELLO, bearer: other });
      expectEqual('of no plugin', before.status, 401);
      await home.kill();
      // The gateway has seen neither the token nor its keys.
      const after = await send(door.port, {
        path: HELLO,
        bearer: withSubject(unknown, 'search'),
      });
      expectEqual('while all of them are gone', after.status, 503);
      return 'with an address for * only';
    },
  );
  await door.kill();
}
