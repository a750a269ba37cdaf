import { once } from 'node:events';
import { Agent, IncomingHttpHeaders, request, Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  setCookies: string[];
  body: string;
  /** Bytes of the status line and headers, approximately as they were sent. */
  headerBytes: number;
}

export interface Credentials {
  bearer?: string;
  /** A whole `Cookie` header. */
  cookie?: string;
}

export const HELLO = '/api/hello/x';

// Each request uses a new connection, so that none is left over from a killed replica.
const noReuse = new Agent({ keepAlive: false });

/** Sends a request to a port of this machine. Unlike `fetch`, the function sends the headers that only browsers may set. */
export function send(
  port: number,
  options: {
    method?: string;
    path?: string;
    headers?: Record<string, string>;
    agent?: Agent;
    body?: string;
  } & Credentials = {},
): Promise<Answer> {
  const { method = 'GET', path = HELLO, agent = noReuse } = options;
  const headers: Record<string, string> = { ...options.headers };
  if (options.bearer) {
    headers.Authorization = `Bearer ${options.bearer}`;
  }
  if (options.cookie) {
    headers.Cookie = options.cookie;
  }
  return new Promise((resolve, reject) => {
    const req = request(
      { host: '127.0.0.1', port, method, path, headers, agent },
      res => {
        let body = '';
        res.setEncoding('utf8');
        res.on('data', chunk => {
          body += chunk;
        });
        res.on('error', reject);
        res.on('end', () =>
          resolve({
            status: res.statusCode!,
            headers: res.headers,
            setCookies: res.headers['set-cookie'] ?? [],
            body,
            // Each header has `: ` and a line end.
            headerBytes:
              `HTTP/1.1 ${res.statusCode} ${res.statusMessage}\r\n\r\n`.length +
              res.rawHeaders.reduce((sum, text) => sum + text.length + 2, 0),
          }),
        );
      },
    );
    req.setTimeout(20_000, () => req.destroy(new Error('No answer in 20 s')));
    req.on('error', reject);
    req.end(options.body);
  });
}

/** Signs out as a stock frontend does. */
export function signOut(
  port: number,
  cookie: string,
  options: { agent?: Agent; plugin?: string } = {},
): Promise<Answer> {
  const { agent, plugin = 'hello' } = options;
  return send(port, {
    method: 'DELETE',
    path: `/api/${plugin}/.backstage/auth/v1/cookie`,
    headers: { 'Sec-Fetch-Site': 'same-origin' },
    cookie,
    agent,
  });
}

/** Returns the `Cookie` header that a browser sends after an answer that set the gate's cookie. */
export function gateCookieOf({ setCookies }: Answer): string {
  return setCookies
    .map(line => line.split(';')[0])
    .filter(pair => /^token(\.\d+)?=./.test(pair))
    .join('; ');
}

/** Starts a server on a free port of this machine. */
export async function listen(
  server: Server,
  host = '127.0.0.1',
): Promise<{ port: number; stop(): void }> {
  await once(server.listen(0, host), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

export function sleep(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, Math.max(0, ms)));
}

/** Waits until a condition holds, and returns the number of milliseconds that took. */
export async function until(
  what: string,
  limitMs: number,
  condition: () => Promise<boolean>,
): Promise<number> {
  const startedAt = performance.now();
  while (!(await condition())) {
    if (performance.now() - startedAt > limitMs) {
      throw new Error(`Not in ${limitMs} ms: ${what}`);
    }
    await sleep(10);
  }
  return performance.now() - startedAt;
}
