const TIMEOUT_MS = 3_000;
const FAILURE_KEPT_MS = 5_000;
// Short, as a token may fail for an outage that began since.
const SUCCESS_KEPT_MS = 1_000;

/**
 * Asks key endpoints whether they answer. Backstage reports an unreachable one as it reports a forged signature, so after
 * a failed verification this tells "not valid" from "can't be told now".
 */
export class KeyEndpoints {
  readonly #answers = new Map<string, Promise<number | undefined>>();

  /**
   * How many keys an endpoint offers; `undefined` if it gives no such answer within 3 s. One request at a time to each
   * endpoint; that it has failed is kept for 5 s, its keys for 1 s.
   */
  countKeys(url: string): Promise<number | undefined> {
    let answer = this.#answers.get(url);
    if (!answer) {
      answer = fetchKeyCount(url);
      this.#answers.set(url, answer);
      answer.then(keys => {
        const keptMs = keys ? SUCCESS_KEPT_MS : FAILURE_KEPT_MS;
        setTimeout(() => this.#answers.delete(url), keptMs).unref();
      });
    }
    return answer;
  }
}

async function fetchKeyCount(url: string): Promise<number | undefined> {
  try {
    const response = await fetch(url, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const body = response.ok ? await response.json() : undefined;
    return Array.isArray(body?.keys) ? body.keys.length : undefined;
  } catch {
    return undefined;
  }
}
