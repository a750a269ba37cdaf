import { readdirSync } from 'node:fs';
import path from 'node:path';
import { difference } from 'lodash';
import { formatLocation, readYaml } from '../settings/files/locate';
import { ANY_SPELLING } from '../settings/read/assertPlace';
import { asObject, isObject } from '../settings/read/values';
import { CliError } from './Command';

/** The names of configuration files, by Backstage's convention. */
const CONFIG_FILE = /^app-config.*\.ya?ml$/;

const HAS_GATE = 'has auth.apiGate';

const LOCAL_FILE = /\.local\.ya?ml$/;

/** Finds the files beside those that a command has read, if they have settings of the gate, or may have them. */
export function findUnreadFiles(files: string[]) {
  return difference(filesBeside(files), files).flatMap(file => {
    const problem = problemOf(file);
    const name = formatLocation({ file });
    return problem ? [{ file, name, problem, text: `${name} ${problem}` }] : [];
  });
}

/** Names the files beside those that a command has read, which a backend with `--config` may read. */
export function describeOthers(files: string[]) {
  const others = difference(filesBeside(files), files)
    .filter(file => !LOCAL_FILE.test(file))
    .map(file => formatLocation({ file }));
  return (
    others.length > 0 &&
    `Not read: ${others.join(', ')}. Give --config for each file that the backend reads, in its order`
  );
}

/**
 * Refuses files by which the command would check another policy than that of a backend.
 *
 * @param areNamed - whether the command line has named the files that were read
 */
export function refuseOtherFiles(files: string[], areNamed: boolean): void {
  // A CI job's checkout has files of the repository only. In a pull request, a file for one developer's machine could hide the rules of a
  // backend that is started with `--config`, and does not read it.
  const local = filesBeside(files).find(
    each => LOCAL_FILE.test(each) && problemOf(each) === HAS_GATE,
  );
  if (process.env.CI && local) {
    throw new CliError(
      'CI is set, and this file has auth.apiGate, which a backend that is started with --config does not read: move the settings to another file, or remove this one from the repository',
      { file: local },
    );
  }
  const [unread, ...others] = areNamed ? [] : findUnreadFiles(files);
  if (unread) {
    const { file, problem } = unread;
    const more = others.map(({ text }) => `; ${text}`).join('');
    const example = [...files, file]
      .filter(each => !LOCAL_FILE.test(each))
      .map(each => ` --config ${formatLocation({ file: each })}`);
    throw new CliError(
      `this file ${problem}, and the command has not read it${more}: give each file that the backend reads, in its order, such as${example.join('')}`,
      { file },
    );
  }
}

/** Returns whether data of a file have a value for the gate, which may be the removal of another file's, or may include one. */
export function hasGate(data: unknown): boolean {
  const root = asObject(data);
  return (
    '$include' in root ||
    Object.entries(root)
      // A backend that reads another spelling of the section does not start.
      .filter(([section]) => /^auth$/i.test(section))
      .some(
        ([section, value]) =>
          !isObject(value) ||
          '$include' in value ||
          Object.keys(value).some(key =>
            ANY_SPELLING.test(`${section}.${key}`),
          ),
      )
  );
}

function filesBeside(files: string[]): string[] {
  const folders = new Set(files.map(file => path.dirname(file)));
  return [...folders].flatMap(folder =>
    readdirSync(folder, { withFileTypes: true })
      .filter(({ name }) => CONFIG_FILE.test(name))
      .filter(entry => entry.isFile() || entry.isSymbolicLink())
      .map(({ name }) => path.join(folder, name)),
  );
}

/** Returns why a file, as it is written and without what it includes, may have settings of the gate; `undefined` if it has none. */
function problemOf(file: string): string | undefined {
  const { data, problem } = parseFile(file);
  return problem ?? (hasGate(data) ? HAS_GATE : undefined);
}

/** Parses a file as it is written, without what it includes. The problem quotes nothing of the file. */
export function parseFile(file: string): { data?: unknown; problem?: string } {
  const yaml = readYaml(file);
  if (!yaml) {
    // Another machine may read it, such as a link to nothing.
    return { problem: 'can not be read here' };
  }
  try {
    if (yaml.document.errors.length === 0) {
      return { data: yaml.document.toJS() };
    }
  } catch {
    // Its aliases lead to nothing, or to too much.
  }
  return { problem: 'is not valid YAML' };
}
