import { createServer, IncomingMessage, ServerResponse } from 'node:http';
import { listen } from '../../http';
import { PIXEL } from './proxiedServer';

const YEAR_MS = 365 * 24 * 60 * 60 * 1000;

const FILES: Record<string, [type: string, body: string | Buffer]> = {
  css: ['text/css', 'body { margin-left: 77px }'],
  gif: ['image/gif', PIXEL],
  html: ['text/html', '<!doctype html><h1>Secret</h1>'],
  js: ['text/javascript', 'globalThis.secret = "Secret"; postMessage("ran");'],
  woff: ['font/woff', 'no font: whether it can be used does not matter'],
};

/**
 * Starts a server that answers for every path by its extension as nginx serves a static file: with `Last-Modified` and `ETag`, and
 * without `Cache-Control`. A browser uses the answer without a request for a tenth of the file's age, which is more than a month.
 */
export async function startStaticServer() {
  const lastModified = new Date(Date.now() - YEAR_MS).toUTCString();

  function answer({ headers, url }: IncomingMessage, res: ServerResponse) {
    const [type, body] = FILES[url!.split('.').pop()!];
    res.setHeader('Last-Modified', lastModified);
    res.setHeader('ETag', '"1"');
    if (headers['if-none-match'] === '"1"') {
      res.writeHead(304).end();
      return;
    }
    res.setHeader('Content-Type', type);
    res.end(body);
  }

  const { port, stop } = await listen(createServer(answer));
  return { url: `http://127.0.0.1:${port}`, stop };
}
