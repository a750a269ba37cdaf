import { createServer } from 'node:http';
import { listen } from '../../http';

/**
 * Serves another party's page, whose form posts to `target`. One server is two origins:
 *
 * - `crossSite`, by address: to a browser, 127.0.0.1 and localhost are two sites
 * - `sameSite`, by name: the backend's site, as a port makes another origin but no other site
 */
export async function startOtherOrigin(target: string) {
  const page = `<!doctype html><title>Another origin</title><link rel="icon" href="data:,">
    <form method="post" action="${target}"><button>Post</button></form>`;
  const server = createServer((_req, res) => {
    res.setHeader('Content-Type', 'text/html').end(page);
  });
  const { port, stop } = await listen(server);
  return {
    crossSite: `http://127.0.0.1:${port}`,
    sameSite: `http://localhost:${port}`,
    stop,
  };
}
