import type { Location } from './output';

/** Reports to the user why a command can not run: exit code 2. */
export class CliError extends Error {
  override name = 'CliError';

  constructor(
    message: string,
    /** The place in the configuration that has to be corrected. */
    readonly location?: Location,
  ) {
    super(message);
  }
}
