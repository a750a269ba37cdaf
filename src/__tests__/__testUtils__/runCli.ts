import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { run } from '../../cli/run';
import { temporaryFolder } from './temporaryFolder';

/** The exit code and the output of a run of the command. */
export interface CliResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

const CLI = path.resolve(__dirname, '../../cli');

/** Runs the command `api-gate` in a new process, from the sources. */
export function runCli(
  args: string[],
  options: { cwd: string; env?: Record<string, string> },
): Promise<CliResult> {
  const child = spawn(
    process.execPath,
    [
      ...[
        '-r',
        require.resolve('@backstage/cli-node/config/nodeTransform.cjs'),
      ],
      ...['-e', `require(${JSON.stringify(CLI)}).main()`],
      ...['--', 'api-gate', ...args],
    ],
    {
      cwd: options.cwd,
      env: { PATH: process.env.PATH, HOME: os.tmpdir(), ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const result: CliResult = { code: null, stdout: '', stderr: '' };
  child.stdout.on('data', chunk => {
    result.stdout += chunk;
  });
  child.stderr.on('data', chunk => {
    result.stderr += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', code => resolve({ ...result, code }));
  });
}

/** Runs the command in this process, with paths that do not depend on the working directory. */
export async function runCliHere(args: string[]): Promise<CliResult> {
  const result: CliResult = { code: null, stdout: '', stderr: '' };
  const code = await run(args, {
    out: line => {
      result.stdout += `${line}\n`;
    },
    error: line => {
      result.stderr += `${line}\n`;
    },
  });
  return { ...result, code };
}

/** Runs the command in this process, in a folder and with an environment as {@link runCli} has it. Calls must not overlap. */
export async function runCliIn(
  args: string[],
  options: { cwd: string; env?: Record<string, string> },
): Promise<CliResult> {
  const { env } = process;
  const cwd = process.cwd();
  process.chdir(options.cwd);
  process.env = { PATH: env.PATH, HOME: os.tmpdir(), ...options.env };
  try {
    return await runCliHere(args);
  } finally {
    process.chdir(cwd);
    process.env = env;
  }
}

/** Creates a folder with files in it, and returns its path. */
export function folderWith(files: Record<string, string>): string {
  const folder = temporaryFolder();
  writeInto(folder, { 'package.json': '{"name":"root"}', ...files });
  return folder;
}

export function writeInto(folder: string, files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}
