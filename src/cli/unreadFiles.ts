import { readdirSync } from 'node:fs';
import path from 'node:path';
import { difference } from 'lodash';
import { formatLocation, readYaml } from '../config/locate';
import { ANY_SPELLING } from '../config/assertPlace';
import { asObject, isObject } from '../config/values';
import { CliError, firstLineOf } from './Command';
import { git } from './gitFiles';

/** The names of configuration files, by Backstage's convention. */
export const CONFIG_FILE = /^app-config.*\.ya?ml$/;

const HAS_GATE = 'has auth.apiGate';

const LOCAL_FILE = /\.local\.ya?ml$/;

/** Finds the files beside those that a command has read, if they have settings of the gate, or may have them. */
export function findUnreadFiles(files: string[]) {
  return difference(filesBeside(files), files)
    .map(file => ({ file, problem: problemOf(file) }))
    .filter(({ problem }) => problem !== undefined);
}

/** @throws CliError for files without which the command would check another policy than that of a backend which reads them */
export function refuseUnreadFiles(files: string[]): void {
  const unread = findUnreadFiles(files);
  if (unread.length > 0) {
    const [{ file, problem }, ...others] = unread;
    const nameOf = (each: string) => formatLocation({ file: each });
    const more = others.map(
      other => `; ${nameOf(other.file)} ${other.problem}`,
    );
    const example = [...files, file]
      .filter(each => !LOCAL_FILE.test(each))
      .map(each => ` --config ${nameOf(each)}`);
    throw new CliError(
      `this file ${problem}, and the command has not read it${more.join('')}: give each file that the backend reads, in its order, such as${example.join('')}`,
      { file },
    );
  }
}

/**
 * Refuses files for one developer's machine that are in the repository and have settings of the gate. In a pull request, such a
 * file could hide the rules of a backend that is started with `--config`, and does not read it.
 */
export function refuseTrackedLocalFiles(files: string[]): void {
  for (const file of new Set([...files, ...filesBeside(files)])) {
    const isLocal = LOCAL_FILE.test(file);
    if (isLocal && problemOf(file) === HAS_GATE && isTracked(file)) {
      throw new CliError(
        'git tracks this file, and it has auth.apiGate, which a backend that is started with --config does not read: move the settings to another file, or remove this one from git',
        { file },
      );
    }
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

/** Returns the configuration files that are in the folders of files. */
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
  const yaml = readYaml(file);
  if (!yaml) {
    // Another machine may read it, such as a link to nothing.
    return 'can not be read here';
  }
  try {
    if (yaml.document.errors.length === 0) {
      return hasGate(yaml.document.toJS()) ? HAS_GATE : undefined;
    }
  } catch {
    // Its aliases lead to nothing, or to too much.
  }
  return 'is not valid YAML';
}

function isTracked(file: string): boolean {
  const args = ['--literal-pathspecs', 'ls-files', '--', path.basename(file)];
  try {
    return git(path.dirname(file), args) !== '';
  } catch (error) {
    const { stderr } = error as { stderr?: unknown };
    if (/not a git repository/.test(String(stderr))) {
      return false;
    }
    throw new CliError(
      `git can not say whether it tracks this file (${firstLineOf(stderr || error)}): let git read the repository, or remove auth.apiGate from the file`,
      { file },
    );
  }
}
