import { createServer, RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { listen } from '../../http';

/** A form of another party's page. An empty policy is the browser's default. */
export interface AttackForm {
  enctype: string;
  /** The `Referrer-Policy` of the page. */
  policy: string;
  /** The other party's redirect that leads the form's request to the backend, and its `Referrer-Policy`. */
  redirect?: { status: number; policy: string };
}

/** A type that the configuration may have, which an interface is not. */
export type Certificate = { key: string; cert: string };

/** Another party's server. */
export interface Attacker {
  origin: string;
  /** Sets the form that the server's page has. */
  show(form: AttackForm): void;
  stop(): void;
}

/**
 * Starts another party's server, whose form posts to `target` on localhost.
 *
 * @param certificate - with it, the server is on https and another site than localhost; without it, another port of the same site
 */
export async function startAttacker(
  target: string,
  certificate?: Certificate,
): Promise<Attacker> {
  let form: AttackForm;
  const answer: RequestListener = ({ method }, res) => {
    const { enctype, policy, redirect } = form;
    if (method === 'POST') {
      res.setHeader('Referrer-Policy', redirect!.policy);
      res.writeHead(redirect!.status, { Location: target }).end();
      return;
    }
    res.setHeader('Referrer-Policy', policy);
    res.setHeader('Content-Type', 'text/html');
    res.end(`<!doctype html><title>Another origin</title><link rel="icon" href="data:,">
      <form method="post" action="${redirect ? '/' : target}" enctype="${enctype}">
        <input name="a" value="b"><button>Post</button>
      </form>`);
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
    show(shown) {
      form = shown;
    },
    stop,
  };
}
