import { connect } from 'node:net';
import { InputError } from '@backstage/errors';
import { freePort } from '../src/__tests__/__testUtils__/freePort';

const HIGHEST_PORT = 65_535;

/**
 * Returns the port that an environment variable chooses, or else a default. Throws an error of one line if the value is no port,
 * or if another program uses the port.
 *
 * @param fallback - `undefined`: any free port
 */
export async function choosePort(
  variable: string,
  fallback?: number,
): Promise<number> {
  const value = process.env[variable];
  if (!value && fallback === undefined) {
    return freePort();
  }
  const port = value ? Number(value) : fallback!;
  if (!Number.isInteger(port) || port < 1 || port > HIGHEST_PORT) {
    throw new InputError(
      `${variable} must be a port between 1 and ${HIGHEST_PORT}: ${variable}=7107 npm start`,
    );
  }
  if (await isInUse(port)) {
    throw new InputError(
      `Another program uses port ${port}. Press Ctrl+C, and choose another port: ${variable}=${port === 7107 ? 7207 : 7107} npm start`,
    );
  }
  return port;
}

/**
 * Connects instead of listening: some systems let a server listen on 127.0.0.1 while another one listens on all addresses, and
 * the browser would then reach either of them.
 */
function isInUse(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ port, host: 'localhost' });
    const end = (inUse: boolean) => {
      socket.destroy();
      resolve(inUse);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
