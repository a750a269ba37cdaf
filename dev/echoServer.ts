import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Starts the proxy plugin's target, which answers with the names of the headers that reached it, and returns its address. */
export function startEchoServer(): Promise<string> {
  const server = createServer((req, res) => {
    res.setHeader('Content-Type', 'application/json');
    res.end(
      JSON.stringify({
        method: req.method,
        path: req.url?.split('?')[0],
        headers: Object.keys(req.headers).sort(),
      }),
    );
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      server.unref();
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    });
  });
}
