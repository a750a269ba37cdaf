import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const folders: string[] = [];

afterAll(() =>
  folders.forEach(folder => rmSync(folder, { recursive: true, force: true })),
);

/** Makes a folder that is removed at the end of the test file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'api-gate-test-'));
  folders.push(folder);
  return realpathSync(folder);
}
