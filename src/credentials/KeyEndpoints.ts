const TIMEOUT_MS = 3_000;
const FAILURE_KEPT_MS = 5_000;
// Short, as a token may fail for an outage that began since.
const SUCCESS_KEPT_MS = 1_000;

/** How many keys an endpoint offers; `undefined` if it gives no such answer. */
export type KeyAnswer = number | 'not-found' | undefined;

/**
 * Asks key endpoints whether they answer. Backstage reports an unreachable one as it reports a forged signature, so after
 * a failed verification this tells "not valid" from "can't be told now".
 */
export class KeyEndpoints {
  readonly #answers = new Map<string, Promise<KeyAnswer>>();

  /**
   * The answer of an endpoint, or `undefined` after 3 s. One request at a time to each endpoint; that it has failed is kept
   * for 5 s, its keys for 1 s.
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

/** Whether an answer has at least one key. */
export function offersKeys(answer: KeyAnswer): boolean {
  return typeof answer === 'number' && answer > 0;
}

async function fetchKeyCount(url: string): Promise<KeyAnswer> {
  try {
    const response = await fetch(url, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
      // As Backstage: what it does not get there, it has not got.
      redirect: 'manual',
    });
    // 508 is what Backstage's gateway says of a plugin that discovery knows no other address of.
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

/** What Backstage takes for one. */
function isKeySet(body: any): body is { keys: object[] } {
  return (
    Array.isArray(body?.keys) &&
    body.keys.every((key: unknown) => typeof key === 'object' && key !== null)
  );
}
