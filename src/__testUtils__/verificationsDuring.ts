import crypto from 'node:crypto';

// Backstage's services verify by the `jose` that they bring: 6 by WebCrypto; 5, before backend-defaults 0.19, by `node:crypto`,
// whose function it keeps when it is loaded. So this must be imported before what starts a backend.
const spies = [
  jest.spyOn(crypto, 'verify'),
  jest.spyOn(crypto.webcrypto.subtle, 'verify'),
];
afterAll(() => spies.forEach(spy => spy.mockRestore()));

const verifications = () =>
  spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0);

/** Returns the number of signatures that this process verifies while `run` is pending. */
export async function verificationsDuring(
  run: () => Promise<void>,
): Promise<number> {
  const before = verifications();
  await run();
  return verifications() - before;
}
