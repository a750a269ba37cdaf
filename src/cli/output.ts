import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { compact, isString } from 'lodash';
import { formatLocation, Location } from '../settings/files/locate';
import { printable } from '../settings/logLine';

export interface Problem {
  message: string;
  location?: Location;
  finding?: string;
}

type Level = 'error' | 'warning';

export interface Output {
  out(line: string): void;
  error(line: string): void;
}

type Line = string | false | undefined;

/** The output of a command. In the log of a CI job, whatever a line holds is text on one line. */
export interface Lines {
  /** Writes lines. A line whose condition does not hold is left out. */
  out(...lines: Line[]): void;
  error(...lines: Line[]): void;
  problem(level: Level, problem: Problem): void;
  /** Adds fields to the result of `--json`. Lines for people have them as text. */
  add(fields: object): void;
  /** Writes what was held back until here. */
  end(exitCode: number): void;
}

export function formatProblem(level: Level, { message, location }: Problem) {
  const place = location ? `${formatLocation(location)}: ` : '';
  return printable(`${level}: ${place}${message}`);
}

/** Formats a problem as a workflow annotation of GitHub, which the pull request shows at the line. */
function formatAnnotation(level: Level, { message, location }: Problem) {
  const folder = process.env.GITHUB_WORKSPACE || process.cwd();
  const file = location && path.relative(folder, location.file);
  const properties = compact([
    file && `file=${printable(file.replace(/[%\r\n:,]/g, encodeURIComponent))}`,
    location?.line && `line=${location.line}`,
    'title=API gate',
  ]);
  return `::${level} ${properties}::${printable(message).replace(/%/g, '%25')}`;
}

export function createTextLines({ out, error }: Output): Lines {
  const printTo =
    (print: (line: string) => void) =>
    (...lines: Line[]) => {
      for (const line of lines.filter(isString)) {
        print(printable(line));
      }
    };
  return {
    out: printTo(out),
    error: printTo(error),
    problem: (level, problem) => out(formatProblem(level, problem)),
    add: () => {},
    end: () => {},
  };
}

/** Writes problems as annotations, after all other lines. GitHub's runner takes none of these for a command. */
export function createGitHubLines(output: Output): Lines {
  const annotations: string[] = [];
  const token = randomUUID();
  output.out(`::stop-commands::${token}`);
  return {
    ...createTextLines(output),
    problem: (level, problem) =>
      annotations.push(formatAnnotation(level, problem)),
    end: () => output.out([`::${token}::`, ...annotations].join('\n')),
  };
}

/** Writes the result of a command as one JSON object, which ops/cli.schema.json describes. */
export function createJsonLines(command: string, output: Output): Lines {
  const fields = {};
  const problems: object[] = [];
  const text = createTextLines(output);
  return {
    ...text,
    out: () => {},
    problem: (level, { message, finding, location }) =>
      problems.push({ level, message, finding, ...placeFields(location) }),
    add: more => Object.assign(fields, more),
    end(exitCode) {
      const result = { command, exitCode, ...fields, problems };
      for (const line of JSON.stringify(result, null, 2).split('\n')) {
        text.out(line);
      }
    },
  };
}

/** Shows on a terminal how far a command is, in place of what it has shown before. */
export function showProgress(text: string): void {
  const { stderr } = process;
  if (stderr.isTTY) {
    // Return to the beginning of the line, and erase it.
    stderr.write(`\r\x1b[K${text}`);
  }
}

function placeFields(location: Location | undefined) {
  return (
    location && { ...location, file: formatLocation({ file: location.file }) }
  );
}
