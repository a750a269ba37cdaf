import path from 'node:path';
import type { JsonObject } from '@backstage/types';
import { BackendProcess } from '../BackendProcess';

export type Version = 'old' | 'new';

/** A replica that can be replaced by one of another version, at the same port. */
export class Replica {
  #process: BackendProcess | undefined;
  #version: Version | undefined;

  constructor(
    readonly name: string,
    readonly port: number,
    private readonly config: JsonObject,
    private readonly folder: string,
  ) {}

  get isUp(): boolean {
    return this.#version !== undefined;
  }

  get label(): string {
    return `${this.name} (${this.#version ?? 'stopped'})`;
  }

  /** Stops the replica as an orchestrator does, and starts one of another version in its place. */
  async replaceBy(version: Version): Promise<void> {
    const previous = this.#process;
    this.#version = undefined;
    await previous?.terminate();
    this.#process = new BackendProcess(this.name, this.port, {
      module: path.join(__dirname, 'backend.ts'),
      config: { ...this.config, upgrade: { version } },
      logFile: path.join(this.folder, `${this.name}.log`),
    });
    await this.#process.start();
    this.#version = version;
  }

  killNow(): void {
    this.#process?.killNow();
  }
}
