import { ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { JsonObject } from '@backstage/types';
import { freePort } from '../../../src/__tests__/__testUtils__/freePort';
import { until } from '../../http';

const UP_AFTER_MS = 120_000;

/** An app of `@backstage/create-app` whose backend serves the frontend that was built. */
export class StockApp {
  #process: ChildProcess | undefined;

  private constructor(
    private readonly folder: string,
    private readonly port: number,
  ) {}

  static async in(folder: string): Promise<StockApp> {
    return new StockApp(folder, await freePort());
  }

  get url(): string {
    return `http://localhost:${this.port}`;
  }

  /** Writes `auth.apiGate`, which a backend that is up reads again. */
  configure(apiGate: JsonObject): void {
    const { port, url } = this;
    const config = {
      app: { baseUrl: url },
      backend: { baseUrl: url, listen: { port, host: 'localhost' } },
      auth: {
        // Without it, the guest provider signs in for development only.
        providers: { guest: { dangerouslyAllowOutsideDevelopment: true } },
        apiGate,
      },
    };
    writeFileSync(this.#path('app-config.trial.json'), JSON.stringify(config));
  }

  /** Starts the backend as in production. Resolves once every plugin is up. */
  async start(): Promise<void> {
    const log = openSync(this.#path('backend.log'), 'w');
    const configs = ['app-config.yaml', 'app-config.trial.json'];
    this.#process = spawn(
      this.#path('node_modules/.bin/backstage-cli'),
      [
        ...['package', 'start'],
        ...configs.flatMap(file => ['--config', this.#path(file)]),
      ],
      {
        cwd: this.#path('packages/backend'),
        env: { ...process.env, GITHUB_TOKEN: 'none', NODE_ENV: 'production' },
        stdio: ['ignore', log, log],
        // The backend has its own process group, since the CLI runs it as a child.
        detached: true,
      },
    );
    closeSync(log);
    try {
      await until('the backend is up', UP_AFTER_MS, () => this.#isUp());
    } catch (error) {
      console.log(readFileSync(this.#path('backend.log'), 'utf8').slice(-5000));
      throw error;
    }
  }

  async stop(): Promise<void> {
    const child = this.#process;
    if (child?.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      process.kill(-child.pid!, 'SIGKILL');
      await exited;
    }
  }

  async #isUp(): Promise<boolean> {
    if (this.#process!.exitCode !== null) {
      throw new Error('The backend has ended');
    }
    try {
      return (await fetch(`${this.url}/.backstage/health/v1/readiness`)).ok;
    } catch {
      return false;
    }
  }

  #path(file: string): string {
    return path.join(this.folder, file);
  }
}
