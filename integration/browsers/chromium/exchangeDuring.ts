import { CDPSession, errors, Page } from 'playwright-core';

const GIVE_UP_AFTER_MS = 30_000;

/** A request that the browser has sent, and its answer, as they were on the wire. */
export interface Exchange {
  status: number;
  /** The gate's decision, from the header of the dev backend. */
  gate: string | undefined;
  /** The gate's cookies that were sent, or the reason why the browser did not send those that it has. */
  gateCookie: string;
  /** Whether the request had an `Authorization` header. */
  authorization: boolean;
}

/**
 * Performs an action in a page, and waits for the first matching exchange that begins meanwhile.
 *
 * The data comes from DevTools: pages and Playwright see a censored answer of another origin, and no answer for a refused image.
 */
export async function exchangeDuring(
  page: Page,
  matches: (request: { url: string; method: string; type?: string }) => boolean,
  act: () => Promise<unknown>,
): Promise<Exchange> {
  const devTools = await page.context().newCDPSession(page);
  try {
    await devTools.send('Network.enable');
    const [exchange] = await Promise.all([
      firstExchange(devTools, matches),
      act(),
    ]);
    return exchange;
  } finally {
    await devTools.detach();
  }
}

function firstExchange(
  devTools: CDPSession,
  matches: Parameters<typeof exchangeDuring>[1],
): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    // DevTools report the three events of each request in any order.
    const matching = new Set<string>();
    const sent = new Map<string, Omit<Exchange, 'status' | 'gate'>>();
    const answered = new Map<string, Pick<Exchange, 'status' | 'gate'>>();
    const timer = setTimeout(() => {
      const seen = [...matching].map(
        id => `sent ${sent.has(id)}, answered ${answered.has(id)}`,
      );
      const message = `DevTools report no expected request with an answer. Expected requests: ${seen.join('; ') || 'none'}. All requests: ${sent.size}, answers: ${answered.size}`;
      reject(new errors.TimeoutError(message));
    }, GIVE_UP_AFTER_MS);
    const resolveIfComplete = (id: string) => {
      const request = sent.get(id);
      const answer = answered.get(id);
      if (matching.has(id) && request && answer) {
        clearTimeout(timer);
        resolve({ ...answer, ...request });
      }
    };
    devTools.on('Network.requestWillBeSent', event => {
      const { url, method } = event.request;
      if (matches({ url, method, type: event.type })) {
        matching.add(event.requestId);
        resolveIfComplete(event.requestId);
      }
    });
    devTools.on('Network.requestWillBeSentExtraInfo', event => {
      sent.set(event.requestId, {
        gateCookie: describeGateCookies(event.associatedCookies),
        authorization: 'authorization' in lowerCaseKeys(event.headers),
      });
      resolveIfComplete(event.requestId);
    });
    devTools.on('Network.responseReceivedExtraInfo', event => {
      answered.set(event.requestId, {
        status: event.statusCode,
        gate: lowerCaseKeys(event.headers)['x-api-gate'],
      });
      resolveIfComplete(event.requestId);
    });
  });
}

function describeGateCookies(
  cookies: { cookie: { name: string }; blockedReasons: string[] }[],
): string {
  const own = cookies
    .filter(({ cookie }) => isGateCookie(cookie.name))
    .sort((a, b) => a.cookie.name.localeCompare(b.cookie.name));
  const sent = own.filter(({ blockedReasons }) => blockedReasons.length === 0);
  if (own.length === 0) {
    return 'none';
  }
  if (sent.length > 0) {
    return `sent: ${sent.map(({ cookie }) => cookie.name).join(', ')}`;
  }
  // Other reasons may block the cookie as well, such as a profile that sends no third-party cookies.
  const { blockedReasons } = own[0];
  return blockedReasons.some(reason => reason.endsWith('SameSiteLax'))
    ? 'withheld: SameSite=Lax'
    : `withheld: ${blockedReasons.join(', ')}`;
}

/** Returns whether a cookie is the gate's, whole or in part. Backstage's own cookie, which is present too, is not. */
export function isGateCookie(name: string): boolean {
  return /^token(\.\d+)?$/.test(name);
}

function lowerCaseKeys(
  headers: Record<string, string>,
): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
}
