import { ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import type { JsonObject } from '@backstage/types';

/** A backend in a process of its own, which can be killed and started again. */
export class BackendProcess {
  #process: ChildProcess | undefined;
  #asked = 0;

  constructor(
    readonly name: string,
    readonly port: number,
    private readonly options: {
      /** The module to run. It sends `started` once every plugin is up. */
      module: string;
      /** The configuration, which the module gets as JSON in `BACKEND_CONFIG`. */
      config: JsonObject;
      logFile: string;
      /** Default `warn`. */
      logLevel?: 'info' | 'warn';
      /** Variables beside those of this process. */
      env?: Record<string, string>;
      /** Default: the folder of this process. */
      cwd?: string;
    },
  ) {}

  /** Resolves once every plugin is up. */
  async start(): Promise<void> {
    const { module, config, logFile, logLevel = 'warn' } = this.options;
    const { cwd, env } = this.options;
    const log = openSync(logFile, 'a');
    // `execArgv` has the loader of TypeScript, and a fork inherits it.
    const child = fork(module, {
      cwd,
      env: {
        ...process.env,
        ...env,
        BACKEND_CONFIG: JSON.stringify(config),
        LOG_LEVEL: logLevel,
      },
      stdio: ['ignore', log, log, 'ipc'],
    });
    this.#process = child;
    await new Promise<void>((resolve, reject) => {
      // Other code sends messages too.
      child.on('message', message => message === 'started' && resolve());
      child.once('exit', code =>
        reject(new Error(`Backend ${this.name} ended with ${code}`)),
      );
    });
  }

  /** Sends the message `{ id, ask, ...parameters }` and resolves to the module's `{ id, reply }`; rejects on `{ id, error }`. */
  ask<T>(ask: string, parameters: JsonObject = {}): Promise<T> {
    const child = this.#process!;
    this.#asked += 1;
    const id = this.#asked;
    return new Promise((resolve, reject) => {
      const onMessage = (message: any) => {
        if (message?.id === id) {
          child.off('message', onMessage);
          if (message.error) {
            reject(new Error(message.error));
          } else {
            resolve(message.reply);
          }
        }
      };
      child.on('message', onMessage);
      child.send({ ...parameters, ask, id });
    });
  }

  /** The complete log, across restarts. */
  get log(): string {
    return readFileSync(this.options.logFile, 'utf8');
  }

  /** Sends `SIGKILL`: the process can't write, close or report anything. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }

  /** Sends `SIGTERM`, as an orchestrator in production does. Resolves with the exit code. */
  async terminate(): Promise<number | null> {
    const child = this.#process!;
    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');
    return code;
  }

  /** Suspends the process: connections are accepted, and nothing is answered until {@link resume}. */
  pause(): void {
    this.#process?.kill('SIGSTOP');
  }

  resume(): void {
    this.#process?.kill('SIGCONT');
  }

  /** Kills the process at the end of the test, without waiting. */
  killNow(): void {
    this.#process?.kill('SIGKILL');
  }
}
