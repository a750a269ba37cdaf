import { ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import path from 'node:path';
import type { JsonObject } from '@backstage/types';

/** One backend in a process of its own, which can be killed and started again. */
export class Replica {
  #process: ChildProcess | undefined;

  constructor(
    readonly name: string,
    readonly port: number,
    private readonly config: JsonObject,
    private readonly logFile: string,
  ) {}

  /** Resolves once every plugin is up. */
  async start(): Promise<void> {
    const log = openSync(this.logFile, 'a');
    // The loader of TypeScript goes with `execArgv`, which a fork inherits.
    const child = fork(path.join(__dirname, 'backend.ts'), {
      env: {
        ...process.env,
        REPLICA_CONFIG: JSON.stringify(this.config),
        LOG_LEVEL: 'warn',
      },
      stdio: ['ignore', log, log, 'ipc'],
    });
    this.#process = child;
    await new Promise<void>((resolve, reject) => {
      // Others send messages too.
      child.on('message', message => message === 'started' && resolve());
      child.once('exit', code =>
        reject(new Error(`Replica ${this.name} ended with ${code}`)),
      );
    });
  }

  /** `kill -9`: nothing is written, closed or said to anyone. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }

  /** For the end of the test, when nothing can be waited for. */
  killNow(): void {
    this.#process?.kill('SIGKILL');
  }
}
