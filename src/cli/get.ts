import { setTimeout as wait } from 'node:timers/promises';
import { CliError } from './Command';
import { showProgress } from './output';

const TIMEOUT_MS = 10_000;
const INTERVAL_MS = 500;

/** The gate's 401 has a body of about 200 characters, and in development a stack more. */
const MAX_LENGTH = 16 * 1024;

export interface Answer {
  status: number;
  headers: Headers;
  body: string;
}

/**
 * Sends one GET over a connection of its own, which a load balancer may give to any replica. Redirects are returned like other
 * answers, and not followed. The rest of a longer body is not read.
 *
 * @throws CliError with an explanation if no answer arrives
 */
export async function get(url: URL, maxLength: number): Promise<Answer> {
  try {
    const response = await fetch(url, {
      headers: { 'User-Agent': 'api-gate', Connection: 'close' },
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return {
      status: response.status,
      headers: response.headers,
      body: await readBeginning(response, maxLength),
    };
  } catch (error) {
    throw new CliError(explainFailure(error, url));
  }
}

async function readBeginning({ body }: Response, maxLength: number) {
  const decoder = new TextDecoder();
  let text = '';
  // Leaving the loop cancels the rest of the body.
  for await (const chunk of body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length >= maxLength) {
      break;
    }
  }
  return text.slice(0, maxLength);
}

/** Explanations, by a pattern of Node's error codes. */
const FAILURES = {
  TimeoutError: `it gave no answer within ${TIMEOUT_MS / 1000} seconds`,
  'ENOTFOUND|EAI_AGAIN': 'its name does not resolve: check the address',
  ECONNREFUSED: 'nothing listens there: check the address and the port',
  CERT_HAS_EXPIRED:
    'its TLS certificate has expired: renew it, or use the address with a valid one',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'its TLS certificate is for another name: use the name that the certificate has',
  'SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)':
    'its TLS certificate is not trusted here: set NODE_EXTRA_CA_CERTS to the file of your certificate authority',
  'ERR_SSL|EPROTO':
    'it does not speak TLS there: write http:// instead of https://, or another port',
  'HPE_|ERR_HTTP|UND_ERR_SOCKET|ECONNRESET':
    'it does not answer in HTTP there: check the scheme and the port',
};

/** Describes a failed request in one sentence, without data from the server. */
export function explainFailure(error: unknown, url: URL): string {
  const { name, cause } = error as Error & { cause?: { code?: unknown } };
  const code = String(cause?.code ?? name);
  const [, explanation = `the request failed (${code})`] =
    Object.entries(FAILURES).find(([codes]) => code.match(codes)) ?? [];
  return `${url.origin} can not be asked: ${explanation}`;
}

/** @throws CliError unless the text is an http or https address without user information */
export function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new CliError(
      'The address must begin with https:// or http://, such as https://backstage.example.com',
    );
  }
  if (url.username || url.password) {
    throw new CliError(
      'The address must not hold a user or a password: leave them out',
    );
  }
  return url;
}

/** Returns the path of all plugins, below the path of `backend.baseUrl`. */
export function prefixOf({ pathname }: URL): string {
  return `${pathname.replace(/\/$/, '')}/api/`;
}

/** Returns an address as people write it: without the slash at its end, and without a query. */
export function nameOf({ origin, pathname }: URL): string {
  return `${origin}${pathname.replace(/\/$/, '')}`;
}

export function announce(base: URL, requests: number): string {
  const seconds = Math.ceil((requests * INTERVAL_MS) / 1000);
  return `Sends ${requests} requests without a credential to ${nameOf(base)}, two a second, for about ${seconds} seconds`;
}

/** Returns a function that sends requests without a credential to plugins, at most two a second. */
export function createAsk(base: URL, requests: number) {
  let next = 0;
  let left = requests;
  return async (plugin: string, path: string) => {
    showProgress(`${left} requests left`);
    await wait(Math.max(0, next - Date.now()));
    next = Date.now() + INTERVAL_MS;
    left -= 1;
    try {
      const url = new URL(`${prefixOf(base)}${plugin}${path}`, base);
      return await get(url, MAX_LENGTH);
    } finally {
      showProgress('');
    }
  };
}
