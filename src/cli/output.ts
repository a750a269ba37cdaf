import path from 'node:path';
import { printable } from '../util/printable';

export { printable };

/** A place in a file of the configuration. */
export interface Location {
  /** An absolute path. */
  file: string;
  /** The line number, starting at 1. */
  line?: number;
}

/** A line of a report that a person should act on. */
export interface Finding {
  level: 'error' | 'warning';
  message: string;
  location?: Location;
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

/** Formats a finding as text on a single line, or as a workflow annotation of GitHub, which the pull request shows at the line. */
export function formatFinding(
  { level, message, location }: Finding,
  format: 'text' | 'github',
): string {
  const text = printable(message);
  if (format === 'text') {
    return `${level}: ${location ? `${printable(formatLocation(location))}: ` : ''}${text}`;
  }
  const properties = [
    ...(location
      ? [`file=${escapeProperty(relativeToWorkspace(location))}`]
      : []),
    ...(location?.line ? [`line=${location.line}`] : []),
    'title=API gate',
  ];
  return `::${level} ${properties.join(',')}::${text.replace(/%/g, '%25')}`;
}

function relativeToWorkspace({ file }: Location): string {
  const { GITHUB_WORKSPACE } = process.env;
  return printable(path.relative(GITHUB_WORKSPACE || process.cwd(), file));
}

function escapeProperty(value: string): string {
  return value.replace(/%/g, '%25').replace(/:/g, '%3A').replace(/,/g, '%2C');
}
