/** The ids of the keys that an endpoint offers, of which each may have none; `undefined` if they could not be fetched. */
export type KeyAnswer = readonly unknown[] | 'not-found' | undefined;

/**
 * Fetches the ids of the keys that an endpoint offers.
 *
 * @throws Error that describes the failure, without data of the answer
 */
export async function fetchKeyIds(url: string): Promise<KeyAnswer> {
  const response = await fetch(url, {
    signal: AbortSignal.timeout(3_000),
    // Backstage does not follow redirects either.
    redirect: 'manual',
  }).catch(error => {
    const { code } = error.cause ?? {};
    throw new Error(`the request failed (${code ?? error.name})`);
  });
  // Backstage's gateway answers 508 if discovery has no other address for a plugin.
  if (response.status === 404 || response.status === 508) {
    await response.body?.cancel();
    return 'not-found';
  }
  if (!response.ok) {
    throw new Error(`it answers ${response.status}`);
  }
  const body = await response.json().catch(() => undefined);
  if (!isKeySet(body)) {
    throw new Error('its answer is no key set');
  }
  return body.keys.map(({ kid }) => kid);
}

/** Returns whether Backstage accepts a body as a key set. */
function isKeySet(body: any): body is { keys: { kid?: unknown }[] } {
  return (
    Array.isArray(body?.keys) &&
    body.keys.every((key: unknown) => typeof key === 'object' && key !== null)
  );
}
