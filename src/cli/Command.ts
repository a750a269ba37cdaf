import { parseArgs, ParseArgsConfig } from 'node:util';
import { map, pick } from 'lodash';
import type { Location } from '../settings/files/locate';
import { firstLineOf } from '../settings/read/mistakes';
import { didYouMean } from '../settings/read/values';
import type { Lines, Problem } from './output';

const OPTIONS = {
  config: { type: 'string', multiple: true },
  'exit-code': { type: 'boolean' },
  format: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
  json: { type: 'boolean' },
  list: { type: 'boolean' },
  'no-config': { type: 'boolean' },
  out: { type: 'string' },
  packages: { type: 'string', multiple: true },
  report: { type: 'string' },
  subject: { type: 'string' },
} satisfies ParseArgsConfig['options'];

export type Options = ReturnType<
  typeof parseArgs<{ options: typeof OPTIONS }>
>['values'];

export interface Command {
  /** The text of `--help`. The options that it lists are those that the command has. */
  help: string;
  hasArguments?: true;
  /** Returns the exit code. */
  run(options: Options, output: Lines, args: string[]): Promise<number>;
}

/** Reports to the user why a command can not run: exit code 2. */
export class CliError extends Error {
  override name = 'CliError';

  constructor(
    message: string,
    readonly location?: Location,
    /** The other mistakes. */
    readonly others: readonly Problem[] = [],
  ) {
    super(message);
  }
}

export function readOptions(
  command: string,
  args: string[],
  help: string,
): { values: Options; positionals: string[] } {
  const listed = [...help.matchAll(/^ {2}(--([a-z-]+))/gm)];
  const names = listed.map(([, , name]) => name as keyof typeof OPTIONS);
  const options = pick(OPTIONS, ['help', ...names]);
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    const problem = firstLineOf(error).replace(
      /^Unknown option '([^']+)'.*/,
      (_, name) =>
        `${name} is an unknown option${didYouMean(name, map(listed, 1))}`,
    );
    throw new CliError(
      `${problem}: api-gate ${command} --help lists the options`,
    );
  }
}
