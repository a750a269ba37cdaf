import { readdirSync } from 'node:fs';
import path from 'node:path';
import { difference } from 'lodash';
import { formatLocation, readYaml } from '../settings/files/locate';
import { ANY_SPELLING } from '../settings/read/assertPlace';
import { asObject, isObject } from '../settings/read/values';

/** The names of configuration files, by Backstage's convention. A `.local` file is one developer's own. */
const CONFIG_FILE = /^app-config.*(?<!\.local)\.ya?ml$/;

/** Finds the files beside those that a command has read, if they have settings of the gate, or may have them. */
export function findUnreadFiles(files: string[]) {
  const folders = new Set(files.map(file => path.dirname(file)));
  const beside = [...folders].flatMap(folder =>
    readdirSync(folder, { withFileTypes: true })
      .filter(({ name }) => CONFIG_FILE.test(name))
      .filter(entry => entry.isFile() || entry.isSymbolicLink())
      .map(({ name }) => path.join(folder, name)),
  );
  return difference(beside, files).flatMap(file => {
    const problem = problemOf(file);
    const name = formatLocation({ file });
    return problem ? [{ file, name, text: `${name} ${problem}` }] : [];
  });
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
      return hasGate(yaml.document.toJS()) ? 'has auth.apiGate' : undefined;
    }
  } catch {
    // Its aliases lead to nothing, or to too much.
  }
  return 'is not valid YAML';
}

/** Returns whether data of a file have a value for the gate, which may be the removal of another file's, or may include one. */
function hasGate(data: unknown): boolean {
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
