import { gateCookieOf, send } from '../../http';
import { expectEqual, Report } from '../../Report';
import { BASIC } from './nginx';
import type { World } from './World';

export async function checkBasicAuth(report: Report, world: World) {
  const { main, basic } = world.nginx;
  const bearer = await world.sign({ sub: 'user:default/basic' });
  const cookie = gateCookieOf(await send(main, { bearer }));
  const headers = {
    Authorization: `Basic ${Buffer.from(BASIC).toString('base64')}`,
  };

  await report.check(
    'nginx with the `map` of the documents asks pages for Basic, and hands on bearer tokens alone',
    async () => {
      const challengeOf = async (path?: string) =>
        (await send(basic, { path })).headers['www-authenticate'];
      expectEqual('a page', await challengeOf('/'), 'Basic realm="Backstage"');
      expectEqual(
        'a call without a credential',
        await challengeOf(),
        'Bearer realm="Backstage"',
      );
      const statuses = await Promise.all([
        send(basic, { path: '/', headers }),
        send(basic, { headers, cookie }),
        send(basic, { bearer }),
        send(basic, { bearer, cookie }),
        // Without the `map`, Basic is the one credential of the request.
        send(main, { headers, cookie }),
      ]).then(answers => answers.map(({ status }) => status));
      expectEqual('all', statuses, [404, 200, 200, 200, 401]);
      return 'a page, and the gate behind it by cookie and by bearer token';
    },
  );
}
