import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parse } from 'yaml';
import { CliError, firstLineOf } from './Command';

const MAX_FILE_BYTES = 16 * 1024 * 1024;

/** A commit of a repository. */
interface Commit {
  /** The root of the repository, without symbolic links. */
  top: string;
  id: string;
  /** The name of the commit in messages, such as `git:origin/main`. */
  name: string;
}

/** Runs git without a shell and without prompts. */
export function git(cwd: string, args: string[], input?: string): string {
  return execFileSync('git', args, {
    cwd,
    env: { ...process.env, GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' },
    input,
    encoding: 'utf8',
    maxBuffer: MAX_FILE_BYTES,
    stdio: 'pipe',
  });
}

/**
 * Copies files as they are at a commit into a temporary folder, with the files that they include, and removes the folder after
 * use. A copy includes nothing but copies, since any other file would be compared with itself.
 *
 * @param use - receives the path of the copy of each file that the commit has, in the same order; and a function that copies the
 *   files beside the first one, without what they include
 * @throws CliError with the `git fetch` to run if the clone does not have the commit, and for a file that no commit can have
 */
export async function withFilesAt<T>(
  ref: string,
  files: string[],
  use: (
    copies: Map<string, string>,
    copyBeside: (isNeeded: RegExp) => Promise<void>,
  ) => Promise<T>,
): Promise<T> {
  const top = await findTop(path.dirname(files[0]));
  const commit = { top, id: resolveCommit(top, ref), name: `git:${ref}` };
  const names = await Promise.all(files.map(file => nameOf(file, top)));
  const folder = await mkdtemp(path.join(os.tmpdir(), 'api-gate-diff-'));
  try {
    const copy = createCopy(commit, folder);
    const copies = new Map<string, string>();
    for (const [i, name] of names.entries()) {
      const target = await copy(name);
      if (target) {
        copies.set(files[i], target);
      }
    }
    return await use(copies, async isNeeded => {
      for (const name of namesBeside(commit, names[0])) {
        if (isNeeded.test(path.basename(name))) {
          await copy(name, true);
        }
      }
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Returns a function that copies one file and its includes, unless the commit does not have it. */
function createCopy(commit: Commit, folder: string) {
  const followed = new Set<string>();
  return async function copy(name: string, isText = false) {
    const text = readAt(commit, name);
    if (text === undefined) {
      return undefined;
    }
    const target = path.join(folder, name);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, text);
    if (!isText && !followed.has(name)) {
      followed.add(name);
      const origin = `${name} of ${commit.name}`;
      for (const [key, included] of includesOf(parseAt(origin, text))) {
        await copy(nameOfIncluded(name, included, origin), key === '$file');
      }
    }
    return target;
  };
}

/**
 * Reads a file of a commit, through symbolic links as the commit has them.
 *
 * @returns `undefined` if the commit does not have the file
 * @throws CliError if a link leads out of the commit, or to nothing
 */
function readAt({ top, id, name }: Commit, file: string) {
  const args = ['cat-file', '--batch', '--follow-symlinks'];
  const object = `${id}:${file.split(path.sep).join('/')}`;
  const output = git(top, args, `${object}\n`);
  const [header] = output.split('\n', 1);
  if (header.endsWith(' missing') || header.startsWith('notdir ')) {
    return undefined;
  }
  if (header.split(' ')[1] !== 'blob') {
    throw new CliError(
      `${file} of ${name} is no file, or a link to none of that commit, so that it can not be compared: put the file in its place, or give --against FILE`,
    );
  }
  return output.slice(header.length + 1, -1);
}

/** Returns the names of the files of a commit that are in the folder of a file, with that file's. */
function namesBeside({ top, id }: Commit, file: string): string[] {
  const folder = path.dirname(file).split(path.sep).join('/');
  const args = ['ls-tree', '-z', id, '--', `${folder}/`];
  const entries = git(top, args).matchAll(/ blob \w+\t([^\0]+)/g);
  return [...entries].map(([, name]) => name);
}

/**
 * Returns the name of a file below the root of the repository. Links below the root are not followed here, since a commit may have
 * other ones.
 */
async function nameOf(file: string, top: string): Promise<string> {
  let name: string | undefined;
  let folder = file;
  while (folder !== path.dirname(folder)) {
    folder = path.dirname(folder);
    if ((await realpath(folder)) === top) {
      name = path.relative(folder, file);
    }
  }
  if (name === undefined) {
    throw new CliError(
      `${file} is not in the repository ${top}, so that no commit has it: give --against FILE`,
    );
  }
  return name;
}

/**
 * Joins a path that a file includes to the file's name, as Backstage does.
 *
 * @param origin - the including file in messages
 * @throws CliError if the path may lead out of the copies
 */
function nameOfIncluded(name: string, included: string, origin: string) {
  const joined = path.join(path.dirname(name), included);
  if (
    path.isAbsolute(included) ||
    /^\.\.[\\/]/.test(joined) ||
    // Backstage replaces variables before it resolves the path.
    /\$\{|\n/.test(included)
  ) {
    throw new CliError(
      `${origin} includes ${included}, which would be compared with itself: write a path within the repository, relative to the file and without variables, or give --against FILE`,
    );
  }
  return joined;
}

/** Finds the files that a value includes, each with its key, also those that Backstage would not read. */
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

function parseAt(origin: string, text: string): unknown {
  try {
    return parse(text, { logLevel: 'error' });
  } catch (error) {
    throw new CliError(`${origin} is not valid YAML: ${firstLineOf(error)}`);
  }
}

/** Returns the root of a repository. */
async function findTop(cwd: string): Promise<string> {
  try {
    const top = git(cwd, ['rev-parse', '--show-toplevel']);
    return await realpath(top.slice(0, -1));
  } catch (error) {
    throw new CliError(
      (error as { code?: unknown }).code === 'ENOENT'
        ? '--against git:REF needs git, which is not installed: give --against FILE'
        : `--against git:REF needs files in a git repository: ${cwd} is in none`,
    );
  }
}

function resolveCommit(top: string, ref: string): string {
  const options = ['--verify', '--quiet', '--end-of-options'];
  try {
    const id = git(top, ['rev-parse', ...options, `${ref}^{commit}`]);
    return id.trim();
  } catch {
    const branch = ref.replace(/^origin\//, '');
    throw new CliError(
      `--against: this clone does not have ${ref}. A shallow clone has one commit only: run "git fetch --depth=1 origin ${branch}" and compare with git:FETCH_HEAD, or give actions/checkout fetch-depth: 0`,
    );
  }
}
