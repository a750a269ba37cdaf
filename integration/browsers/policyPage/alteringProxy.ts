import {
  createServer,
  IncomingHttpHeaders,
  IncomingMessage,
  request,
} from 'node:http';
import { buffer } from 'node:stream/consumers';
import { listen } from '../../http';

/** An answer on its way to the browser. */
export interface AlteredAnswer {
  headers: IncomingHttpHeaders;
  body: string;
}

/** Starts a proxy in front of a port of this machine, which changes the answers that are HTML. */
export async function startAlteringProxy(
  port: number,
  alter: (answer: AlteredAnswer) => void,
) {
  const server = createServer((req, res) => {
    const { method, url, headers } = req;
    const onward = request(
      // The body must not be compressed.
      {
        host: 'localhost',
        port,
        method,
        path: url,
        headers: { ...headers, 'accept-encoding': 'identity' },
      },
      async answer => {
        const altered = {
          headers: { ...answer.headers },
          body: await bodyOf(answer),
        };
        if (/html/.test(answer.headers['content-type'] ?? '')) {
          alter(altered);
        }
        const body = Buffer.from(altered.body, 'latin1');
        delete altered.headers['transfer-encoding'];
        altered.headers['content-length'] = String(body.length);
        res.writeHead(answer.statusCode!, altered.headers).end(body);
      },
    );
    onward.on('error', () => res.destroy());
    req.pipe(onward);
  });
  const { port: own, stop } = await listen(server, 'localhost');
  return { port: own, url: `http://localhost:${own}`, stop };
}

/** Returns a body whose characters are its bytes. */
async function bodyOf(answer: IncomingMessage): Promise<string> {
  return (await buffer(answer)).toString('latin1');
}
