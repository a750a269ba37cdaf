import type { Location } from './output';

/** The reason why a command can not do its work, for its user to read: exit code 2. */
export class CliError extends Error {
  override name = 'CliError';

  constructor(
    message: string,
    /** The place in the configuration that is to be corrected. */
    readonly location?: Location,
  ) {
    super(message);
  }
}
