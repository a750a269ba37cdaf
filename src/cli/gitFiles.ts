import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { isScalar, parseDocument, visit } from 'yaml';
import { CliError } from './CliError';

const MAX_FILE_BYTES = 16 * 1024 * 1024;

/** Runs git without a shell and without prompts. */
async function git(cwd: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('git', args, {
    cwd,
    env: { ...process.env, GIT_TERMINAL_PROMPT: '0' },
    maxBuffer: MAX_FILE_BYTES,
  });
  return stdout;
}

/**
 * Copies files as they are at a commit into a temporary folder, with the files that they include, and removes the folder after
 * use.
 *
 * @param use - receives the files, in the same order, and the names of the missing ones
 * @throws CliError with the `git fetch` to run if the clone does not have the commit
 */
export async function withFilesAt<T>(
  ref: string,
  files: string[],
  use: (laid: string[], missing: string[]) => Promise<T>,
): Promise<T> {
  const cwd = files.length > 0 ? path.dirname(await realpath(files[0])) : '.';
  const top = await findTop(cwd);
  const commit = await resolveCommit(top, ref);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'api-gate-diff-'));
  const copied = new Set<string>();

  /** Copies one file and its includes. Returns whether the commit has the file. */
  const copy = async (name: string): Promise<boolean> => {
    const target = path.resolve(folder, name);
    // An included path may lead out of the repository.
    if (copied.has(target) || !target.startsWith(folder + path.sep)) {
      return copied.has(target);
    }
    const blob = `${commit}:${name.split(path.sep).join('/')}`;
    const text = await git(top, 'show', blob).catch(() => undefined);
    if (text === undefined) {
      return false;
    }
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, text, { mode: 0o600 });
    copied.add(target);
    for (const included of includesOf(text)) {
      await copy(path.join(path.dirname(name), included));
    }
    return true;
  };

  try {
    const laid: string[] = [];
    const missing: string[] = [];
    for (const file of files) {
      const name = path.relative(top, await realpath(file));
      if (await copy(name)) {
        laid.push(path.resolve(folder, name));
      } else {
        missing.push(name);
      }
    }
    return await use(laid, missing);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Returns the root of a repository. */
async function findTop(cwd: string): Promise<string> {
  try {
    return (await git(cwd, 'rev-parse', '--show-toplevel')).trim();
  } catch (error) {
    throw new CliError(
      (error as { code?: unknown }).code === 'ENOENT'
        ? '--against git:REF needs git, which is not installed: give --against FILE'
        : `--against git:REF needs files in a git repository: ${cwd} is in none`,
    );
  }
}

async function resolveCommit(top: string, ref: string): Promise<string> {
  const options = ['--verify', '--quiet', '--end-of-options'];
  try {
    return (await git(top, 'rev-parse', ...options, `${ref}^{commit}`)).trim();
  } catch {
    const branch = ref.replace(/^origin\//, '');
    throw new CliError(
      `--against: this clone does not have ${ref}. A shallow clone has one commit only: run "git fetch --depth=1 origin ${branch}" and compare with git:FETCH_HEAD, or give actions/checkout fetch-depth: 0`,
    );
  }
}

/** Returns the relative paths that a file includes with `$include` or `$file`. */
function includesOf(text: string): string[] {
  const paths: string[] = [];
  visit(parseDocument(text), {
    Pair(_, { key, value }) {
      const isInclude =
        isScalar(key) && (key.value === '$include' || key.value === '$file');
      if (isInclude && isScalar(value) && typeof value.value === 'string') {
        paths.push(value.value.replace(/#.*/, ''));
      }
    },
  });
  return paths.filter(included => included && !path.isAbsolute(included));
}
