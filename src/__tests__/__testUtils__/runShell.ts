import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';

/** Runs the tests of a group where the machine has bash and curl. One that has only Node has neither. */
export const describeWithCurl =
  has('bash') && has('curl') ? describe : describe.skip;

/** The addresses of a Backstage in the documents. */
const ADDRESS = /https:\/\/backstage\.example\.com|http:\/\/localhost:7007/g;

/**
 * Runs a command of the documents as their reader does, but for the address of the backend.
 *
 * @returns the output
 * @throws an error with `code` and `stdout` if the command fails
 */
export async function runShell(
  command: string,
  options: { url: string; env: Record<string, string>; cwd?: string },
): Promise<string> {
  const { url, env, cwd } = options;
  const { stdout } = await promisify(execFile)(
    'bash',
    [
      // Bash reads the files of its user where its input is a socket.
      ...['--noprofile', '--norc', '-euo', 'pipefail', '-c'],
      command.replace(ADDRESS, url),
    ],
    { env: { PATH: process.env.PATH, ...env }, cwd, timeout: 20_000 },
  );
  return stdout;
}

function has(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
