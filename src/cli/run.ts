import { isError } from '@backstage/errors';
import { version } from '../../package.json';
import { didYouMean } from '../settings/read/values';
import { audit } from './audit';
import { check } from './check';
import { CliError, readOptions } from './Command';
import { explain } from './explain';
import { init } from './init';
import { report } from './report';
import {
  createGitHubLines,
  createJsonLines,
  createTextLines,
  formatProblem,
  Output,
} from './output';

const HELP = `api-gate COMMAND [OPTION]...

  init      prints a block of auth.apiGate to begin with
  check     checks the configuration, and whether the report is up to date
  report    writes what is open and who may do what, as a file to commit
  explain   prints whether one request is public, and why
  audit     asks a running Backstage of your own what it leaves open
  help      explains a command and its options: help COMMAND, or COMMAND --help

--version prints the version of the package.
No command changes anything but the file of report --out.`;

const COMMANDS = new Map(
  Object.entries({ init, check, report, explain, audit }),
);

/** Runs the command `api-gate`. Returns the exit code. */
export async function run(argv: string[], output: Output): Promise<number> {
  const [name, ...args] =
    argv[0] === 'help' && argv.length > 1 ? [argv[1], '--help'] : argv;
  if (name === '--version') {
    output.out(version);
    return 0;
  }
  if (name === undefined || ['help', '--help', '-h'].includes(name)) {
    output.out(HELP);
    return name === undefined ? 2 : 0;
  }
  const text = createTextLines(output);
  let lines = text;
  let exitCode = 2;
  try {
    const command = COMMANDS.get(name);
    if (!command) {
      throw new CliError(
        `${name} is no command${didYouMean(name, COMMANDS.keys())}: use ${[...COMMANDS.keys()].join(', ')}`,
      );
    }
    const { values, positionals } = readOptions(name, args, command.help);
    if (values.help) {
      output.out(command.help);
      return 0;
    }
    if (positionals.length > 0 && !command.hasArguments) {
      throw new CliError(
        `api-gate ${name} takes no argument "${positionals[0]}": give files with --config`,
      );
    }
    if (values.json && values.format === 'github') {
      throw new CliError('--json and --format github exclude each other');
    }
    if (values.json) {
      lines = createJsonLines(name, output);
    } else if (values.format === 'github') {
      lines = createGitHubLines(output);
    }
    exitCode = await command.run(values, lines, positionals);
  } catch (error) {
    // Exit code 1 would mean a finding.
    if (!(error instanceof CliError)) {
      const stack = isError(error) ? error.stack : error;
      text.error(...`error: ${stack}`.split('\n'));
    } else {
      for (const problem of [error, ...error.others]) {
        if (lines === text) {
          text.error(formatProblem('error', problem));
        } else {
          lines.problem('error', problem);
        }
      }
    }
  }
  lines.end(exitCode);
  return exitCode;
}

/**
 * Runs the command with the arguments of this process.
 *
 * @public
 */
export async function main(): Promise<void> {
  // A reader such as `head` may have closed the pipe: the exit code stays the same.
  process.stdout.on('error', () => {});
  // Node prints warnings as they are, and those of the YAML parser quote the configuration.
  process.removeAllListeners('warning');
  process.exitCode = await run(process.argv.slice(2), {
    out: line => process.stdout.write(`${line}\n`),
    error: line => process.stderr.write(`${line}\n`),
  });
}
