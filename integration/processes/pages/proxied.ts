import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { BackendFeature } from '@backstage/backend-plugin-api';
import type { JsonObject } from '@backstage/types';
import { blocksAfter } from '../../../src/__tests__/__testUtils__/documents';
import { recordingPlugin } from '../../../src/__tests__/__testUtils__/recordingPlugin';
import { freePort } from '../../../src/__tests__/__testUtils__/freePort';
import { startBackend } from '../../../src/__tests__/__testUtils__/startBackend';
import { webSocketPlugin } from '../../../src/__tests__/__testUtils__/webSocketPlugin';
import { gateCookieOf, HELLO, send, until } from '../../http';
import { expectEqual } from '../../Report';
import type { Run } from '../../runChecks';
import { runNginx } from '../../runNginx';

/** The page whose blocks nginx gets. */
export const PAGE = 'docs/recipes/reverse-proxies.md';

/** A backend behind a proxy. */
interface Proxied {
  /** The port of the proxy. */
  port: number;
  /** The port of the backend itself. */
  backendPort: number;
  /** The paths of the requests that reached the handler. */
  paths: () => string[];
  /** Signs the guest in through the proxy, and returns the token and the gate's cookie. */
  signIn: () => Promise<{ bearer: string; cookie: string }>;
}

/**
 * Starts a proxy and a backend behind it.
 *
 * @param startProxy - starts a proxy at `port` in front of the backend, and returns a function that kills it
 * @param prefix - the path of `backend.baseUrl`
 */
async function start(
  { atExit }: Run,
  startProxy: (ports: { port: number; backend: number }) => Promise<() => void>,
  prefix = '',
  features: BackendFeature[] = [],
): Promise<Proxied> {
  const port = await freePort();
  const baseUrl = `http://localhost:${port}${prefix}`;
  const hello = recordingPlugin('hello', {
    // A plugin whose answers a shared cache may keep.
    handle: (_req, res) =>
      res.set('Cache-Control', 'public, max-age=60').json({}),
  });
  const live = webSocketPlugin('live', { '/socket': undefined });
  const config: JsonObject = {
    app: { baseUrl },
    backend: { baseUrl },
    auth: { apiGate: { allow: [{ plugin: 'hello', path: '/public' }] } },
  };
  const backend = await startBackend({
    features: [hello.feature, live.feature, ...features],
    config,
  });
  atExit.push(await startProxy({ port, backend: backend.port }));
  return {
    port,
    backendPort: backend.port,
    paths: () => hello.handled.map(request => request.path),
    async signIn() {
      const signedIn = await send(port, {
        path: `${prefix}/api/auth/guest/refresh`,
      });
      const bearer: string = JSON.parse(signedIn.body).backstageIdentity.token;
      const answer = await send(port, { path: `${prefix}${HELLO}`, bearer });
      expectEqual('the bearer', answer.status, 200);
      return { bearer, cookie: gateCookieOf(answer) };
    },
  };
}

/** Starts nginx with blocks of the page in front of a backend. */
export const behindNginx = (
  run: Run,
  options: {
    heading: string;
    directives?: (folder: string) => string[];
    features?: BackendFeature[];
  },
  prefix?: string,
) =>
  start(
    run,
    ({ port, backend }) => {
      const folder = path.join(run.folder, `nginx-${port}`);
      const [inHttp, inServer = ''] = options.directives?.(folder) ?? [''];
      const blocks = blocksAfter(PAGE, options.heading, 'nginx');
      const ofPage = (name: string) =>
        (blocks.find(block => block.startsWith(name)) ?? '').replace(
          'http://backstage:7007',
          `http://127.0.0.1:${backend}`,
        );
      return runNginx(
        folder,
        `${inHttp} ${ofPage('map')}
        server { listen 127.0.0.1:${port}; ${inServer} ${ofPage('location')} }`,
        port,
      );
    },
    prefix,
    options.features,
  );

/** Starts HAProxy in front of a backend. */
export const behindHaproxy = (run: Run, global = '') =>
  start(run, async ({ port, backend }) => {
    const file = path.join(run.folder, `haproxy-${port}.cfg`);
    writeFileSync(
      file,
      `
global
  ${global}
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
listen backstage
  bind 127.0.0.1:${port}
  server backstage 127.0.0.1:${backend}
`,
    );
    const child = spawn('haproxy', ['-db', '-q', '-f', file], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    await until('HAProxy answers', 5_000, () =>
      send(port).then(
        () => true,
        () => false,
      ),
    );
    return () => child.kill('SIGKILL');
  });
