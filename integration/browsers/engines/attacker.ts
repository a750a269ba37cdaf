import { createServer, RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { listen } from '../../http';

/** A page, and what leads its form to the backend. An empty policy is the browser's default. */
export interface Shown {
  body: string;
  /** The `Referrer-Policy` of the page. */
  policy?: string;
  /** The redirect by which its server answers a form, and its `Referrer-Policy`. */
  redirect?: { status: number; policy: string; to: string };
}

/** A type that the configuration may have, which an interface is not. */
export type Certificate = { key: string; cert: string };

/** Another party's server. */
export interface Attacker {
  origin: string;
  isCrossSite: boolean;
  /** Sets the page that the server has. */
  show(page: Shown): void;
  stop(): void;
}

/** Returns a page for which browsers request no icon. */
export const toPage = (body: string) =>
  `<!doctype html><meta charset="utf-8"><title>A page</title><link rel="icon" href="data:,">${body}`;

/**
 * Starts another party's server.
 *
 * @param certificate - with it, the server is on https and another site than localhost; without it, another port of the same site
 */
export async function startAttacker(
  certificate?: Certificate,
): Promise<Attacker> {
  let shown: Shown;
  const answer: RequestListener = ({ method }, res) => {
    const { body, policy = '', redirect } = shown;
    if (method === 'POST') {
      const { status, to, policy: ownPolicy } = redirect!;
      res.setHeader('Referrer-Policy', ownPolicy);
      res.writeHead(status, { Location: to }).end();
      return;
    }
    res.setHeader('Referrer-Policy', policy);
    res.setHeader('Content-Type', 'text/html');
    res.end(toPage(body));
  };
  const { port, stop } = await listen(
    certificate
      ? createSecureServer(certificate, answer)
      : createServer(answer),
  );
  return {
    origin: certificate
      ? `https://127.0.0.1:${port}`
      : `http://localhost:${port}`,
    isCrossSite: Boolean(certificate),
    show(page) {
      shown = page;
    },
    stop,
  };
}
