import { parseArgs, ParseArgsConfig } from 'node:util';
import { isError } from '@backstage/errors';
import { map, pick } from 'lodash';
import type { Location } from '../settings/files/locate';
import { didYouMean } from '../settings/read/values';
import type { Lines } from './output';

const OPTIONS = {
  against: { type: 'string', multiple: true },
  config: { type: 'string', multiple: true },
  'exit-code': { type: 'boolean' },
  'fail-on': { type: 'string' },
  format: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
  json: { type: 'boolean' },
  list: { type: 'boolean' },
  live: { type: 'string' },
  'mock-env': { type: 'boolean' },
  'no-config': { type: 'boolean' },
  policy: { type: 'string' },
  scan: { type: 'string' },
  times: { type: 'string' },
  subject: { type: 'string' },
  'token-env': { type: 'string' },
  verbose: { type: 'boolean' },
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
  ) {
    super(message);
  }
}

/** Returns an error's message without the lines after the first, which may quote the configuration. */
export function firstLineOf(error: unknown): string {
  return (isError(error) ? error.message : String(error)).split('\n')[0];
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
      (_, name) => `${name} is no option${didYouMean(name, map(listed, 1))}`,
    );
    throw new CliError(
      `${problem}: api-gate ${command} --help lists the options`,
    );
  }
}

export function readChoice(
  options: Options,
  name: 'fail-on' | 'format',
  choices: string[],
): string | undefined {
  const choice = options[name];
  if (choice !== undefined && !choices.includes(choice)) {
    throw new CliError(`--${name} must be one of ${choices.join(', ')}`);
  }
  return choice;
}
