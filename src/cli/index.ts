import { isError } from '@backstage/errors';
import { audit } from './audit';
import { check } from './check';
import { CliError } from './CliError';
import { diff } from './diff';
import { explain } from './explain';
import { formatFinding, Output } from './output';

export type { Output } from './output';

const HELP = `api-gate COMMAND [OPTION]...

  check     checks the API gate's configuration and its expectations
  diff      prints what a change of the configuration makes public
  explain   says whether one request is public, and why
  audit     asks a running Backstage of your own what it leaves open

api-gate COMMAND --help lists the options. No command changes anything.`;

const COMMANDS = new Map([
  ['check', check],
  ['diff', diff],
  ['explain', explain],
  ['audit', audit],
]);

/**
 * Runs the command `api-gate`. Returns the exit code.
 *
 * @public
 */
export async function run(argv: string[], output: Output): Promise<number> {
  const [name, ...args] = argv;
  if (name === undefined || name === '--help' || name === '-h') {
    output.out(HELP);
    return name === undefined ? 2 : 0;
  }
  const command = COMMANDS.get(name);
  try {
    if (!command) {
      throw new CliError(
        `${name} is no command: use ${[...COMMANDS.keys()].join(', ')}`,
      );
    }
    return await command(args, output);
  } catch (error) {
    if (error instanceof CliError) {
      const { message, location } = error;
      output.error(
        formatFinding({ level: 'error', message, location }, 'text'),
      );
      return 2;
    }
    // Exit code 1 would mean a finding.
    output.error(`error: ${isError(error) ? error.stack : String(error)}`);
    return 2;
  }
}

/**
 * Runs the command with the arguments of this process.
 *
 * @public
 */
export async function main(): Promise<void> {
  // A reader such as `head` may have closed the pipe: the exit code stays the same.
  process.stdout.on('error', () => {});
  process.exitCode = await run(process.argv.slice(2), {
    out: line => process.stdout.write(`${line}\n`),
    error: line => process.stderr.write(`${line}\n`),
  });
}
