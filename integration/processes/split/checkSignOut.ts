import { Credentials, send, signOut, until } from '../../http';
import { expectEqual, Report } from '../../Report';
import { CATALOG, HELLO, tokenOf, WITHIN_MS, World } from './World';

export async function checkSignOut(report: Report, world: World) {
  const { first, second } = world;
  const bystander = await world.sign({ sub: 'user:default/bystander' });

  const DOORS = {
    'catalog at the first': [first.port, CATALOG],
    'hello at the second': [second.port, HELLO],
    'hello through the gateway': [first.port, HELLO],
  } as const;
  type Door = keyof typeof DOORS;

  const statusAt = async (door: Door, credentials: Credentials) => {
    const [port, path] = DOORS[door];
    return (await send(port, { path, ...credentials })).status;
  };

  /** Signs out, and expects that all backends refuse the credentials of the session: some at once, the others in time. */
  async function check(
    sub: string,
    [port, plugin]: [number, string],
    atOnce: Door[],
    later: Door[],
  ): Promise<string> {
    const token = await world.sign({ sub: `user:default/${sub}` });
    const presented: Credentials[] = [
      { bearer: token },
      { cookie: `token=${token}` },
    ];
    for (const door of [...atOnce, ...later]) {
      for (const credentials of presented) {
        expectEqual(`${door}, before`, await statusAt(door, credentials), 200);
      }
    }
    const onBehalf = {
      bearer: await tokenOf(first, 'catalog', 'hello', token),
    };
    expectEqual(
      'a service that acts for the user, before',
      await statusAt('hello at the second', onBehalf),
      200,
    );

    const { status, setCookies } = await signOut(port, `token=${token}`, {
      plugin,
    });
    const signedOutAt = performance.now();
    expectEqual('sign-out', status, 204);
    expectEqual(
      'the cookie is taken back',
      setCookies.some(line => /^token=; .*Expires=Thu, 01 Jan 1970/.test(line)),
      true,
    );
    for (const door of atOnce) {
      for (const credentials of presented) {
        expectEqual(`${door}, at once`, await statusAt(door, credentials), 401);
      }
    }
    for (const door of later) {
      await until(door, WITHIN_MS, async () =>
        (await Promise.all(presented.map(each => statusAt(door, each)))).every(
          each => each === 401,
        ),
      );
    }
    const took = Math.round(performance.now() - signedOutAt);
    for (const door of [
      'hello at the second',
      'hello through the gateway',
    ] as const) {
      expectEqual(
        `a service that acts for the user, ${door}`,
        await statusAt(door, onBehalf),
        401,
      );
    }
    for (const door of Object.keys(DOORS) as Door[]) {
      expectEqual(
        `somebody else, ${door}`,
        await statusAt(door, { bearer: bystander }),
        200,
      );
    }
    return `${atOnce.length} doors at once, all in ${took} ms`;
  }

  await report.check(
    'sign-out at the first is in force there and through the gateway at once, and at the second in time',
    () =>
      check(
        'left-at-first',
        [first.port, 'catalog'],
        ['catalog at the first', 'hello through the gateway'],
        ['hello at the second'],
      ),
  );
  await report.check(
    'sign-out at the second is in force everywhere at once, as it is stored at the first',
    () =>
      check(
        'left-at-second',
        [second.port, 'hello'],
        [
          'catalog at the first',
          'hello at the second',
          'hello through the gateway',
        ],
        [],
      ),
  );
  await report.check(
    'sign-out through the gateway is in force at the first at once, and at the second in time',
    () =>
      check(
        'left-through-gateway',
        [first.port, 'hello'],
        ['catalog at the first', 'hello through the gateway'],
        ['hello at the second'],
      ),
  );
}
