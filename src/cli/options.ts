import { parseArgs, ParseArgsConfig } from 'node:util';
import { CliError } from './CliError';

type Options = NonNullable<ParseArgsConfig['options']>;

/** The options of every command that reads the configuration. */
export const CONFIG_OPTIONS = {
  config: { type: 'string', multiple: true },
  'mock-env': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} satisfies Options;

type ParsedOptions<T extends Options> = ReturnType<
  typeof parseArgs<{
    args: string[];
    options: T;
    allowPositionals: true;
    strict: true;
  }>
>;

/** @throws CliError that names an unknown option */
export function readOptions<T extends Options>(
  command: string,
  args: string[],
  options: T,
): ParsedOptions<T> {
  try {
    return parseArgs({ args, options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new CliError(
      `${(error as Error).message.split('\n')[0]}: api-gate ${command} --help lists the options`,
    );
  }
}

/** @throws CliError unless the value is one of the option's choices */
export function readChoice<T extends string>(
  option: string,
  value: string | undefined,
  choices: readonly T[],
): T | undefined {
  if (value !== undefined && !choices.includes(value as T)) {
    throw new CliError(`--${option} must be one of ${choices.join(', ')}`);
  }
  return value as T | undefined;
}

/** @throws CliError if the command gets an argument that it does not take */
export function assertNoArguments(command: string, positionals: string[]) {
  if (positionals.length > 0) {
    throw new CliError(
      `api-gate ${command} takes no argument "${positionals[0]}": give files with --config`,
    );
  }
}
