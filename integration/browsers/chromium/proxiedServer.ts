import { createServer, IncomingMessage, ServerResponse } from 'node:http';
import { listen } from '../../http';

/** The result of a page or a script of the server, as it reported to the server itself. */
export interface Report {
  /** The file that the script ran in or for. */
  from: string;
  catalog: number;
  token: boolean;
  wrote: number;
}

// The script acts as the user, by the cookie alone, and reports the result to its own server.
const SCRIPT = `(async () => {
  const at = location.pathname.split('/').slice(0, 4).join('/');
  const status = async (url, init) => (await fetch(url, init).catch(() => ({ status: 0 }))).status;
  const refreshed = await fetch('/api/auth/guest/refresh').then(r => r.json(), () => ({}));
  const report = {
    from: location.pathname.split('/').pop(),
    catalog: await status('/api/catalog/entities'),
    token: Boolean(refreshed.backstageIdentity),
    wrote: await status(at + '/write', { method: 'POST' }),
  };
  await fetch(at + '/report?' + encodeURIComponent(JSON.stringify(report)));
})();`;

export const PIXEL = Buffer.from(
  'R0lGODlhAgACAIAAAAAAAAAAACH5BAAAAAAALAAAAAACAAIAAAICRF4AOw==',
  'base64',
);

/** A PDF of one empty page. */
const PDF = `%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj
trailer<</Root 1 0 R>>
`;

/** Returns a WAV file with a tenth of a second of silence. */
function silence(): Buffer {
  const header = Buffer.alloc(44);
  header.write('RIFF', 0);
  header.writeUInt32LE(36 + 800, 4);
  header.write('WAVEfmt ', 8);
  [16, 1 + 0x10000, 8000, 8000, 1 + 0x80000].forEach((value, i) =>
    header.writeUInt32LE(value, 16 + 4 * i),
  );
  header.write('data', 36);
  header.writeUInt32LE(800, 40);
  return Buffer.concat([header, Buffer.alloc(800, 0x80)]);
}

type File = [type: string, body: string | Buffer];

const FILES: Record<string, File> = {
  'page.html': [
    'text/html',
    '<!doctype html><title>Page</title><h1>Page</h1><img src="image.gif"><script>document.title="ran"</script><script src="script.js"></script>',
  ],
  'image.svg': [
    'image/svg+xml',
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/><script href="script.js"/></svg>',
  ],
  'page.xhtml': [
    'application/xhtml+xml',
    '<html xmlns="http://www.w3.org/1999/xhtml"><head><title>Page</title></head><body><h1>Page</h1><script src="script.js"></script></body></html>',
  ],
  'script.js': ['text/javascript', SCRIPT],
  'worker.js': ['text/javascript', 'postMessage("ran")'],
  'shared.js': [
    'text/javascript',
    'onconnect = event => event.ports[0].postMessage("ran")',
  ],
  'serviceworker.js': ['text/javascript', ''],
  'style.css': ['text/css', 'body { margin-left: 77px }'],
  'image.gif': ['image/gif', PIXEL],
  'sound.wav': ['audio/wav', silence()],
  'cached.html': [
    'text/html',
    `<!doctype html><title>Page</title><script>${SCRIPT}</script>`,
  ],
  'document.pdf': ['application/pdf', PDF],
  'data.json': ['application/json', '{"data":1}'],
  'download.html': ['text/html', '<h1>Downloaded</h1>'],
};

/**
 * Starts a server that a proxy endpoint of the backend leads to, with another party's pages and scripts. Its content security
 * policy allows everything.
 *
 * @param font - the content of `font.ttf`
 */
export async function startProxiedServer(font: Buffer) {
  const reports: Report[] = [];
  let written = 0;

  function answer(req: IncomingMessage, res: ServerResponse) {
    const [path, query = ''] = req.url!.split('?');
    const name = path.slice(1);
    res.setHeader(
      'Content-Security-Policy',
      "default-src * data: blob: 'unsafe-inline' 'unsafe-eval'",
    );
    if (name === 'cached.html') {
      res.setHeader('Cache-Control', 'max-age=600');
    }
    if (name === 'report') {
      reports.push(JSON.parse(decodeURIComponent(query)));
      res.end();
      return;
    }
    if (name === 'write') {
      written += 1;
      res.writeHead(201).end();
      return;
    }
    if (name === 'events') {
      res.writeHead(200, { 'Content-Type': 'text/event-stream' });
      res.end('data: first\n\n');
      return;
    }
    if (name === 'download.html') {
      res.setHeader('Content-Disposition', 'attachment');
    }
    const [type, body] = {
      ...FILES,
      'font.ttf': ['font/ttf', font] as File,
    }[name] ?? ['text/plain', 'Not found'];
    res.setHeader('Content-Type', type);
    res.end(body);
  }

  const { port, stop } = await listen(createServer(answer));
  return {
    url: `http://127.0.0.1:${port}`,
    reports,
    get written() {
      return written;
    },
    stop,
  };
}
