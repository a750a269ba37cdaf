import type { OptionName, Options } from './options';
import type { Problem } from './output';

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

/** The output of a command. In the log of a CI job, whatever a line holds is text on one line. */
export interface Lines {
  /** Writes lines. A line whose condition does not hold is left out. */
  out(...lines: (string | false | undefined)[]): void;
  error(line: string): void;
  problem(level: 'error' | 'warning', problem: Problem): void;
  /** Writes what was held back until here. */
  end(): void;
}
