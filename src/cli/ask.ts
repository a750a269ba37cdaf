import { setTimeout as wait } from 'node:timers/promises';
import { get } from './get';
import { showProgress } from './output';

const INTERVAL_MS = 500;

/** The gate's 401 has a body of about 200 bytes, and in development a stack more. */
const MAX_BYTES = 16 * 1024;

/** Returns the path of all plugins, below the path of `backend.baseUrl`. */
export function prefixOf({ pathname }: URL): string {
  return `${pathname.replace(/\/$/, '')}/api/`;
}

/** Returns an address as people write it: without the slash at its end, and without a query. */
export function nameOf({ origin, pathname }: URL): string {
  return `${origin}${pathname.replace(/\/$/, '')}`;
}

/** Announces requests in a sentence without its full stop. */
export function announce(base: URL, requests: number): string {
  const seconds = Math.ceil((requests * INTERVAL_MS) / 1000);
  return `Sends ${requests} requests without a credential to ${nameOf(base)}, two a second, for about ${seconds} seconds`;
}

/**
 * Returns a function that sends requests without a credential to plugins, at most two a second. On a terminal it shows how many of
 * them are left.
 */
export function createAsk(base: URL, requests: number) {
  let next = 0;
  let left = requests;
  return async (plugin: string, path: string, method?: 'GET' | 'HEAD') => {
    showProgress(`${left} requests left`);
    await wait(Math.max(0, next - Date.now()));
    next = Date.now() + INTERVAL_MS;
    left -= 1;
    try {
      return await get(new URL(`${prefixOf(base)}${plugin}${path}`, base), {
        maxBytes: MAX_BYTES,
        method,
      });
    } finally {
      showProgress('');
    }
  };
}
