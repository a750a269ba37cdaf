import { spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import type { Run } from './runChecks';

/**
 * Starts a Prometheus of its own, which a run kills at its end.
 *
 * @param folder - gets its data; its log is beside the folder
 * @param config - the path of its configuration
 */
export function runPrometheus(
  run: Run,
  { folder, config, port }: { folder: string; config: string; port: number },
): void {
  const log = openSync(`${folder}.log`, 'a');
  const child = spawn(
    'prometheus',
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: ['ignore', log, log] },
  );
  child.once('error', error => console.error(error));
  run.atExit.push(() => child.kill('SIGKILL'));
}
