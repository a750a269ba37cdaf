import { ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const BACKEND = `http://localhost:${process.env.PORT ?? 7007}`;

const ROOT = path.resolve(__dirname, '../../..');
const UP_AFTER_MS = 90_000;

const running = new Set<ChildProcess>();
// No child process outlives this one, however it ends.
process.on('exit', () => running.forEach(child => signal(child, 'SIGKILL')));
process.on('SIGINT', () => process.exit(130));
process.on('SIGTERM', () => process.exit(143));

/**
 * Runs `use` while the dev backend is up, as `npm start` starts it.
 *
 * @param logFile - receives the output of the backend
 * @param configFiles - added to `app-config.yaml`
 */
export async function withDevBackend(
  { logFile, configFiles = [] }: { logFile: string; configFiles?: string[] },
  use: () => Promise<void>,
): Promise<void> {
  // The checks would otherwise run against a backend that was already up.
  if (await isUp()) {
    throw new Error(`Something else answers at ${BACKEND} already: stop it`);
  }
  const log = openSync(logFile, 'w');
  const child = spawn(
    path.join(ROOT, 'node_modules/.bin/backstage-cli'),
    [
      'package',
      'start',
      // Naming any file leaves out `app-config.yaml`, which is read by default.
      ...(configFiles.length > 0 ? ['app-config.yaml', ...configFiles] : [])
        .map(file => ['--config', file])
        .flat(),
    ],
    {
      cwd: ROOT,
      env: { ...process.env, CI: 'true' },
      stdio: ['ignore', log, log],
      // The backend has its own process group, since the CLI runs it as a child.
      detached: true,
    },
  );
  closeSync(log);
  running.add(child);
  try {
    const giveUpAt = Date.now() + UP_AFTER_MS;
    while (!(await isUp())) {
      if (child.exitCode !== null || Date.now() > giveUpAt) {
        throw new Error(
          `The backend does not come up. ${logFile} ends with:\n${readFileSync(logFile, 'utf8').slice(-2000)}`,
        );
      }
      await sleep(200);
    }
    await use();
  } finally {
    await stop(child);
  }
}

/** Returns whether the backend is ready, and the catalog has the component whose image the page shows. */
async function isUp(): Promise<boolean> {
  try {
    const signedIn = await fetch(`${BACKEND}/api/auth/guest/refresh`);
    const { token } = (await signedIn.json()).backstageIdentity;
    const { ok } = await fetch(
      `${BACKEND}/api/catalog/entities/by-name/component/default/example`,
      { headers: { Authorization: `Bearer ${token}` } },
    );
    return ok;
  } catch {
    return false;
  }
}

async function stop(child: ChildProcess) {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit');
    signal(child, 'SIGTERM');
    await Promise.race([exited, sleep(5_000)]);
  }
  // Kill the processes that have outlived the CLI too; the port must be free for the next backend.
  signal(child, 'SIGKILL');
  running.delete(child);
}

function signal(child: ChildProcess, name: NodeJS.Signals) {
  try {
    process.kill(-child.pid!, name);
  } catch {
    // The group has ended.
  }
}
