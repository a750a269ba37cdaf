import { existsSync, lstatSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { attempt, compact, intersection, isError } from 'lodash';
import { asObject } from '../settings/read/values';
import { CliError } from './Command';
import { parseFile } from './unreadFiles';

const HOW =
  'give the root of another checkout, which git worktree add --detach FOLDER COMMIT makes';

/**
 * Finds files of this checkout in another one: each with `other`, the file at its path there, or `undefined` if that is not there.
 *
 * A file that is outside of its checkout, or the same on both sides, would be compared with itself: a change of it would not be seen.
 *
 * @param files - absolute paths, of which some may not be there
 * @throws CliError unless each file, and each file that it includes, is in its checkout
 */
export function findInOtherCheckout(folders: string[], files: string[]) {
  const root = findRoot(process.cwd());
  const otherRoot = readRoot(folders);
  if (findRoot(otherRoot) === root) {
    throw new CliError(`--against ${folders} is in this checkout: ${HOW}`);
  }
  const paired = files.map(file => {
    assertInside(root, file, file);
    const other = path.join(otherRoot, path.relative(root, file));
    return { file, other: isThere(other) ? other : undefined };
  });
  const others = compact(paired.map(({ other }) => other));
  if (others.length === 0) {
    throw new CliError(
      `--against ${folders} has none of the files to compare: ${HOW}`,
    );
  }
  const [same] = intersection(
    readRealPaths(root, files.filter(isThere)),
    readRealPaths(otherRoot, others),
  );
  if (same) {
    throw new CliError(
      'both checkouts read this file, so that it would be compared with itself: make the other checkout outside of this one',
      { file: same },
    );
  }
  return paired;
}

function readRoot(folders: string[]): string {
  const [folder] = folders;
  if (
    folders.length !== 1 ||
    !existsSync(folder) ||
    !statSync(folder).isDirectory()
  ) {
    throw new CliError(
      `--against must be one folder (${folders.join(', ') || 'none is given'}): ${HOW}`,
    );
  }
  return realpathSync(folder);
}

/** Returns the next folder up that has `.git`; without one, as in an image, that of the workspaces, else the folder itself. */
export function findRoot(folder: string): string {
  const folders = foldersFrom(folder);
  const manifestOf = (each: string) =>
    asObject(parseFile(path.join(each, 'package.json')).data);
  return (
    folders.find(each => existsSync(path.join(each, '.git'))) ??
    folders.find(each => 'workspaces' in manifestOf(each)) ??
    folder
  );
}

export function foldersFrom(folder: string): string[] {
  const above = path.dirname(folder);
  return [folder, ...(above === folder ? [] : foldersFrom(above))];
}

/** Returns whether a path leads to something. A link to nothing does: it is refused later. */
function isThere(file: string): boolean {
  return !isError(attempt(lstatSync, file));
}

/** Reads files and what they include, whether or not Backstage would read it, and returns their paths without symbolic links. */
function readRealPaths(root: string, files: string[]): string[] {
  const found = new Set<string>();
  const followed = new Set(files);
  const add = (file: string) => {
    if (!existsSync(file)) {
      throw new CliError('this file is not there', { file });
    }
    const real = realpathSync(file);
    assertInside(root, real, file);
    found.add(real);
  };
  // The loop comes to the files that it adds.
  for (const file of followed) {
    add(file);
    const { data, problem } = parseFile(file);
    if (problem) {
      throw new CliError(`this file ${problem}`, { file });
    }
    for (const [key, name] of includesOf(data)) {
      if (name.includes('${')) {
        throw new CliError(
          `this file includes ${name}: write the path without a variable, so that diff finds the file`,
          { file },
        );
      }
      const included = path.resolve(path.dirname(file), name);
      if (key === '$file') {
        add(included);
      } else {
        followed.add(included);
      }
    }
  }
  return [...found];
}

export function isInside(root: string, real: string): boolean {
  const relative = path.relative(root, real);
  return !/^\.\.($|[\\/])/.test(relative) && !path.isAbsolute(relative);
}

function assertInside(root: string, real: string, file: string): void {
  if (!isInside(root, real)) {
    throw new CliError(
      `this file is outside of the checkout ${root}, so that it would be compared with itself: move it into the repository, and include it by a relative path`,
      { file },
    );
  }
}

function includesOf(value: unknown): [key: string, file: string][] {
  return Object.entries(value ?? {}).flatMap(([key, child]) => {
    if (typeof child !== 'string') {
      return includesOf(child);
    }
    return ['$include', '$file'].includes(key)
      ? [[key, key === '$include' ? child.split('#')[0] : child]]
      : [];
  });
}
