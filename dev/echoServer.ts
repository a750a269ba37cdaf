import { createServer } from 'node:http';

/** Starts the proxy plugin's target, which answers with the names of the headers that reached it. */
export function startEchoServer(port: number): Promise<void> {
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
    server.listen(port, '127.0.0.1', () => {
      server.unref();
      resolve();
    });
  });
}
