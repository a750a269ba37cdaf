import type { createBackend } from '@backstage/backend-defaults';

/**
 * Starts the backend of this process, and answers the requests of `BackendProcess`.
 *
 * @param answers - functions by the name of the request; each gets the request's parameters
 */
export function runAsChild(
  backend: ReturnType<typeof createBackend>,
  answers: Record<string, (question: any) => unknown> = {},
): void {
  // The process ends with the test, however the test ends.
  process.once('disconnect', () => process.exit());

  process.on('message', async ({ id, ask, ...question }: any) => {
    try {
      process.send!({ id, reply: await answers[ask](question) });
    } catch (error) {
      process.send!({ id, error: String(error) });
    }
  });

  backend.start().then(
    () => process.send!('started'),
    error => {
      console.error(error);
      process.exit(1);
    },
  );
}
