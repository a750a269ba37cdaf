import type { OptionName, Options } from './options';

/** A command of `api-gate`. */
export interface Command {
  help: string;
  /** The options besides `--help`. */
  options: readonly OptionName[];
  /** Whether arguments are allowed that belong to no option. */
  hasArguments?: true;
  /** Returns the exit code. */
  run(options: Options, output: Lines, args: string[]): Promise<number>;
}

/** The output of a command. A line whose condition does not hold is left out. */
export interface Lines {
  out(...lines: (string | false | undefined)[]): void;
  error(line: string): void;
}
