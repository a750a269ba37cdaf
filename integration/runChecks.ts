import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  createSigningKey,
  SigningKey,
} from '../src/__tests__/__testUtils__/signingKey';
import { Report } from './Report';

const LOG_LINES = 20;
const LOG_COLUMNS = 400;

/** The report, the ports and the folder of a run of checks. */
export interface Run {
  report: Report;
  /** The folder, which is removed at the end. If a check fails, the content of its `*.log` files is printed. */
  folder: string;
  /** Cleanup functions, called in reverse order however this process ends. */
  atExit: (() => void)[];
  /** Creates a key, whose files are removed at the end. */
  createKey(): Promise<SigningKey>;
}

/** @throws Error unless `.ci/withPostgres.sh` runs this process */
export function postgresUrl(): string {
  const url = process.env.API_GATE_TEST_POSTGRES;
  if (!url) {
    throw new Error('Run the script `run` of this suite: it brings PostgreSQL');
  }
  return url;
}

/** Runs checks, prints their report, and ends the process: with 0 if all passed. */
export function runChecks(
  options: { name: string; limitMs: number },
  checks: (run: Run) => Promise<void>,
): void {
  const { name, limitMs } = options;
  const report = new Report();
  const folder = mkdtempSync(path.join(tmpdir(), `api-gate-${name}-`));
  const atExit = [() => rmSync(folder, { recursive: true, force: true })];
  process.once('exit', () => atExit.reverse().forEach(step => step()));
  process.once('SIGINT', () => process.exit(1));
  process.once('SIGTERM', () => process.exit(1));

  function end() {
    const succeeded = report.end();
    if (!succeeded) {
      for (const file of readdirSync(folder, { recursive: true })) {
        if (String(file).endsWith('.log')) {
          const text = readFileSync(path.join(folder, String(file)), 'utf8');
          console.error(`--- end of ${file}`);
          text
            .trimEnd()
            .split('\n')
            .slice(-LOG_LINES)
            .forEach(line => console.error(line.slice(0, LOG_COLUMNS)));
        }
      }
    }
    process.exit(succeeded ? 0 : 1);
  }

  setTimeout(() => {
    report.fail('all in time', `not over in ${limitMs / 1000} s`);
    end();
  }, limitMs);
  const createKey = async () => {
    const key = await createSigningKey();
    atExit.push(() => rmSync(key.folder, { recursive: true, force: true }));
    return key;
  };
  checks({ report, folder, atExit, createKey })
    .catch(error => report.fail('the test itself', error))
    .finally(end);
}
