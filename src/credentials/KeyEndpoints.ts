const TIMEOUT_MS = 3_000;
const FAILURE_KEPT_MS = 5_000;
// The time is short, since a token may have failed because of an outage that began since.
const SUCCESS_KEPT_MS = 1_000;

/** The number of keys that an endpoint offers; `undefined` if it returns no key set. */
export type KeyAnswer = number | 'not-found' | undefined;

/**
 * Probes key endpoints. Backstage reports an unreachable endpoint like a forged signature, so after a failed verification the
 * probe distinguishes an invalid token from missing keys.
 */
export class KeyEndpoints {
  readonly #answers = new Map<string, Promise<KeyAnswer>>();

  /**
   * Returns the answer of an endpoint, or `undefined` after 3 s. Each endpoint gets one request at a time; a failure is cached
   * for 5 s, keys for 1 s.
   */
  probe(url: string): Promise<KeyAnswer> {
    let answer = this.#answers.get(url);
    if (!answer) {
      answer = fetchKeyCount(url);
      this.#answers.set(url, answer);
      answer.then(keys => {
        const keptMs = offersKeys(keys) ? SUCCESS_KEPT_MS : FAILURE_KEPT_MS;
        setTimeout(() => this.#answers.delete(url), keptMs).unref();
      });
    }
    return answer;
  }
}

/** Returns whether an answer has at least one key. */
export function offersKeys(answer: KeyAnswer): boolean {
  return typeof answer === 'number' && answer > 0;
}

async function fetchKeyCount(url: string): Promise<KeyAnswer> {
  try {
    const response = await fetch(url, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
      // Backstage does not follow redirects either.
      redirect: 'manual',
    });
    // Backstage's gateway answers 508 if discovery has no other address for a plugin.
    if (response.status === 404 || response.status === 508) {
      await response.body?.cancel();
      return 'not-found';
    }
    const body = response.ok ? await response.json() : undefined;
    return isKeySet(body) ? body.keys.length : undefined;
  } catch {
    return undefined;
  }
}

/** Returns whether Backstage accepts a body as a key set. */
function isKeySet(body: any): body is { keys: object[] } {
  return (
    Array.isArray(body?.keys) &&
    body.keys.every((key: unknown) => typeof key === 'object' && key !== null)
  );
}
