import path from 'node:path';

/** A place in a file of the configuration. */
export interface Location {
  /** An absolute path. */
  file: string;
  /** The line number, starting at 1. */
  line?: number;
}

/**
 * The output of a command.
 *
 * @public
 */
export interface Output {
  out(line: string): void;
  error(line: string): void;
}

export function formatLocation({ file, line }: Location): string {
  const relative = path.relative(process.cwd(), file);
  return `${relative}${line === undefined ? '' : `:${line}`}`;
}

/** Formats a problem as text on a single line, or as a workflow annotation of GitHub, which the pull request shows at the line. */
export function formatProblem(
  level: 'error' | 'warning',
  { message, location }: { message: string; location?: Location },
  format: 'text' | 'github' = 'text',
): string {
  if (format === 'text') {
    return `${level}: ${location ? `${formatLocation(location)}: ` : ''}${message}`;
  }
  const { GITHUB_WORKSPACE } = process.env;
  const properties = [
    location &&
      `file=${escapeProperty(path.relative(GITHUB_WORKSPACE || process.cwd(), location.file))}`,
    location?.line && `line=${location.line}`,
    'title=API gate',
  ];
  return `::${level} ${properties.filter(Boolean).join(',')}::${message.replace(/%/g, '%25')}`;
}

function escapeProperty(value: string): string {
  return value.replace(/%/g, '%25').replace(/:/g, '%3A').replace(/,/g, '%2C');
}
