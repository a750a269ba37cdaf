import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { send } from '../../http';
import { expectEqual, Report } from '../../Report';
import type { World } from './World';

/** Returns a promise's result and its duration. */
async function timed<T>(run: Promise<T>): Promise<[result: T, ms: number]> {
  const startedAt = performance.now();
  const result = await run;
  return [result, Math.round(performance.now() - startedAt)];
}

/** Checks the time limits of everything that the gate waits for and that never answers. */
export async function checkHangs(report: Report, world: World) {
  await report.check(
    'an issuer of the cookie that never ends: no cookie, after three seconds',
    async () => {
      const backend = await world.createBackend('issuer', {
        issuerHangs: true,
      });
      await backend.start();
      const { port } = backend;
      const token = await world.sign({ port, sub: 'user:default/issued' });
      const waiting = timed(send(port, { bearer: token }));
      const [nobody, quick] = await timed(send(port));
      expectEqual('nobody', nobody.status, 401);
      const [byCookie] = await timed(send(port, { cookie: `token=${token}` }));
      expectEqual('the cookie', byCookie.status, 200);
      const [answer, ms] = await waiting;
      expectEqual('a bearer', answer.status, 200);
      expectEqual('its cookies', answer.setCookies, []);
      expectEqual(
        `in three seconds (${ms} ms)`,
        ms >= 2_900 && ms < 4_000,
        true,
      );
      await backend.kill();
      return `200 after ${ms} ms; meanwhile 401 without a credential in ${quick} ms`;
    },
  );

  await report.check(
    'a key endpoint that never answers: 503 for users, and nobody else waits',
    async () => {
      const auth = createServer(({ url }, res) => {
        if (!url!.endsWith('/jwks.json')) {
          res.end('{"revocations":[]}');
        }
      });
      await new Promise<void>(resolve => {
        auth.listen(0, '127.0.0.1', resolve);
      });
      const { port: authPort } = auth.address() as AddressInfo;
      const backend = await world.createBackend('keys', {
        withAuth: false,
        config: {
          backend: {
            auth: {
              externalAccess: [
                {
                  type: 'static',
                  options: { token: 'external-token', subject: 'script' },
                },
              ],
            },
          },
          discovery: {
            endpoints: [
              {
                target: `http://127.0.0.1:${authPort}/api/{{pluginId}}`,
                plugins: ['auth'],
              },
            ],
          },
        },
      });
      await backend.start();
      const { port } = backend;
      const sign = (sub: string) =>
        world.sign({ port: authPort, sub: `user:default/${sub}` });
      const users = [
        timed(send(port, { bearer: await sign('a') })),
        timed(send(port, { cookie: `token=${await sign('b')}` })),
      ];
      const [nobody, quick] = await timed(send(port));
      expectEqual('nobody', nobody.status, 401);
      const [script] = await timed(send(port, { bearer: 'external-token' }));
      expectEqual('a script', script.status, 200);
      const times = [];
      for (const [{ status, headers, setCookies }, ms] of await Promise.all(
        users,
      )) {
        expectEqual('a user', [status, headers['retry-after']], [503, '5']);
        expectEqual('its cookies', setCookies, []);
        times.push(ms);
      }
      expectEqual(
        `in ten seconds (${times} ms)`,
        Math.max(...times) < 10_000,
        true,
      );
      expectEqual('handled', await backend.ask('handled'), 1);
      await backend.kill();
      auth.closeAllConnections();
      auth.close();
      return `503 after ${times.join(' and ')} ms; meanwhile 401 without a credential in ${quick} ms`;
    },
  );
}
