import crypto from 'node:crypto';

// Backstage's services verify with their own version of `jose`: 6 uses WebCrypto; 5, before backend-defaults 0.19, uses
// `node:crypto`, whose function it captures on load. Tests must therefore import this file before any code that starts a backend.
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
