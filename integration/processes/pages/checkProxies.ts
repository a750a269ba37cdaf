import {
  blocksAfter,
  codeIn,
  tableRows,
} from '../../../src/__tests__/__testUtils__/documents';
import { rawRequest } from '../../../src/__tests__/__testUtils__/rawRequest';
import { rawUpgrade } from '../../../src/__tests__/__testUtils__/rawUpgrade';
import { recordingPlugin } from '../../../src/__tests__/__testUtils__/recordingPlugin';
import { HELLO, send } from '../../http';
import { expectEqual } from '../../Report';
import type { Run } from '../../runChecks';
import { behindHaproxy, behindNginx, PAGE } from './proxied';

const PUBLIC = '/api/hello/public';

async function checkNginx(run: Run) {
  const { report } = run;
  const { port, paths, signIn } = await behindNginx(run, {
    heading: 'WebSockets through nginx',
  });

  await report.check(
    'nginx with the blocks of the page hands WebSockets on',
    async () => {
      const { cookie } = await signIn();
      const upgrade = async (...lines: string[]) => {
        const { status, message, destroy } = await rawUpgrade(
          port,
          '/api/live/socket',
          [`Origin: http://localhost:${port}`, ...lines],
        );
        destroy();
        return [status, message];
      };
      const opened = await upgrade(`Cookie: ${cookie}`);
      expectEqual('with the cookie', opened, [101, 'hello']);
      expectEqual('without', (await upgrade())[0], 401);
      return '101 with the cookie, 401 without';
    },
  );

  await report.check(
    'nginx hands on paths as they were sent, and Origin and Sec-Fetch-Site',
    async () => {
      const { bearer, cookie } = await signIn();
      const odd = '/%2e%2e//x';
      await send(port, { path: `/api/hello${odd}`, bearer });
      expectEqual('the path', paths().at(-1), odd);
      const postFrom = async (headers: Record<string, string>) =>
        (await send(port, { method: 'POST', cookie, headers })).status;
      const own = { Origin: `http://localhost:${port}` };
      const other = { Origin: 'https://evil.example.com' };
      expectEqual('own page', await postFrom(own), 200);
      expectEqual('other page', await postFrom(other), 403);
      const site = { 'Sec-Fetch-Site': 'cross-site' };
      expectEqual('cross-site', await postFrom(site), 403);
      return 'the path reaches the handler, 403 for a page of another site';
    },
  );
}

async function checkPrefix(run: Run) {
  const prefix = '/backstage';
  const { port, paths, signIn } = await behindNginx(
    run,
    { heading: 'A prefix in front of Backstage' },
    prefix,
  );
  await run.report.check(
    'nginx removes a prefix, with which users sign in and cookies open',
    async () => {
      const { cookie } = await signIn();
      const target = `${prefix}${HELLO}`;
      const answer = await send(port, { path: target, cookie });
      expectEqual('the cookie', answer.status, 200);
      expectEqual('the path', paths().at(-1), '/x');
      expectEqual('nothing', (await send(port, { path: target })).status, 401);
      const decoded = `${prefix}/api/live/%2e%2e/hello/decoded`;
      expectEqual(
        'a path that nginx decodes, by the cookie',
        (await send(port, { path: decoded, cookie })).status,
        200,
      );
      expectEqual('its path', paths().at(-1), '/decoded');
      expectEqual(
        'a path that nginx decodes, by nobody',
        (await send(port, { path: decoded })).status,
        401,
      );
      return '200 with the cookie, 401 without';
    },
  );
}

async function checkCache(run: Run) {
  const { port, signIn } = await behindNginx(run, {
    heading: 'WebSockets through nginx',
    directives: folder => [
      `proxy_cache_path ${folder}/cache keys_zone=shared:1m;`,
      `proxy_cache shared; proxy_cache_key $request_uri;
       add_header X-Cache $upstream_cache_status always;`,
    ],
  });
  await run.report.check(
    '[P17] a shared cache keeps what is public, and nothing that a cookie opened or that sets it',
    async () => {
      const { cookie } = await signIn();
      const seen = async (target: string, credentials = {}) => {
        const answer = await send(port, { path: target, ...credentials });
        return [answer.status, answer.headers['x-cache']];
      };
      expectEqual('public', await seen(PUBLIC), [200, 'MISS']);
      expectEqual('public again', await seen(PUBLIC), [200, 'HIT']);
      expectEqual('the path of the bearer', await seen(HELLO), [401, 'MISS']);
      const opened = '/api/hello/opened';
      const byCookie = await seen(opened, { cookie });
      expectEqual('by the cookie', byCookie, [200, 'MISS']);
      const after = await seen(opened);
      expectEqual('without it', after, [401, 'MISS']);
      return 'HIT for the public path, MISS for the others';
    },
  );
}

async function checkClosedPlugin(run: Run) {
  const plugin = recordingPlugin('argocd');
  const { port, backendPort, signIn } = await behindNginx(run, {
    heading: 'WebSockets through nginx',
    directives: () =>
      blocksAfter(PAGE, 'A plugin that nobody may change', 'nginx'),
    features: [plugin.feature],
  });
  await run.report.check(
    'nginx closes a plugin to users for what changes something, whatever they write',
    async () => {
      const { bearer } = await signIn();
      const headerLines = [`Authorization: Bearer ${bearer}`];
      const arrives = async (to: number, method: string, target: string) => {
        plugin.handled.length = 0;
        const { status } = await rawRequest(to, target, {
          method,
          headerLines,
        });
        return [plugin.handled.length > 0, status];
      };
      const changing = [
        ...['/api/argocd', '/api/argocd/', '/api/argocd?x', '/API/ArgoCD/x'],
        // A `location` would be compared with `/z`.
        '/api/argocd/x%3Fy%2F..%2F..%2F..%2Fz',
        ...['/api/argocd/%2e%2e/z', '/api/argocd//x', '/api\\argocd/x#'],
      ];
      for (const target of changing) {
        const direct = await arrives(backendPort, 'POST', target);
        expectEqual(`POST ${target} without nginx`, direct, [true, 200]);
        for (const method of ['POST', 'DELETE', 'PATCH', 'PROPFIND']) {
          const closed = await arrives(port, method, target);
          expectEqual(`${method} ${target}`, closed, [false, 403]);
        }
      }
      const read = await arrives(port, 'GET', '/api/argocd/x');
      expectEqual('GET', read, [true, 200]);
      const { status } = await rawRequest(port, `${HELLO}?/api/argocd/x`, {
        method: 'POST',
        headerLines,
      });
      expectEqual('another plugin', status, 200);
      return '403 for each spelling, 200 for GET and for other plugins';
    },
  );
}

async function checkHaproxy(run: Run) {
  const row = tableRows(PAGE, [
    'Proxy',
    'Request headers',
    'Response headers',
  ]).find(([proxy]) => proxy === 'HAProxy')!;
  const [setting] = codeIn(row[1]);
  await run.report.check(
    `HAProxy passes all request headers that Node takes with ${setting}, and less than 15 KB without`,
    async () => {
      const statusOf = async (port: number, bytes: number) =>
        (
          await send(port, {
            path: PUBLIC,
            headers: { 'X-Long': 'x'.repeat(bytes) },
          })
        ).status;
      const stock = await behindHaproxy(run);
      expectEqual('14 KB', await statusOf(stock.port, 14 * 1024), 200);
      expectEqual('15 KB', await statusOf(stock.port, 15 * 1024), 400);
      const larger = await behindHaproxy(run, setting);
      const full = await statusOf(larger.port, 16 * 1024);
      // Node itself refuses more than 16 KB.
      expectEqual('16 KB', full, 431);
      expectEqual('15 KB', await statusOf(larger.port, 15 * 1024), 200);
      return 'passes 14 KB without it and 15 KB with it';
    },
  );
}

/** Puts nginx and HAProxy in front of backends, as docs/recipes/reverse-proxies.md has it. */
export async function checkProxies(run: Run): Promise<void> {
  await checkNginx(run);
  await checkPrefix(run);
  await checkCache(run);
  await checkClosedPlugin(run);
  await checkHaproxy(run);
}
