import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { JsonObject } from '@backstage/types';
import { merge } from 'lodash';
import { stringify } from 'yaml';
import { BackendProcess } from '../../BackendProcess';
import { Answer, send } from '../../http';

/** Returns the plugin of a backend. The one of the job `search` has no `auth` plugin beside it. */
const pluginOf = ({ job }: { job: string }) =>
  job === 'search' ? 'search' : 'hello';

/** A backend with a configuration file, in a process of its own. */
export class Replica extends BackendProcess {
  readonly #file: string;
  readonly #config: JsonObject;

  constructor(
    /** The labels that Prometheus adds. */
    readonly labels: { job: string; instance: string },
    readonly ports: { backend: number; metrics: number },
    settings: { folder: string; config: JsonObject },
  ) {
    const { folder: parent, config } = settings;
    const { job, instance } = labels;
    const folder = path.join(parent, `${job}-${instance}`);
    mkdirSync(folder);
    const file = path.join(folder, 'app-config.yaml');
    super(`${job} ${instance}`, ports.backend, {
      module: path.join(__dirname, 'backend.ts'),
      logFile: `${folder}.log`,
      config: { file, metricsPort: ports.metrics, plugin: pluginOf(labels) },
    });
    this.#file = file;
    this.#config = config;
    this.write({});
  }

  /** Sends a request to its plugin. */
  send(bearer?: string): Promise<Answer> {
    return send(this.port, {
      path: `/api/${pluginOf(this.labels)}/x`,
      bearer,
    });
  }

  /** Sends a request to a route that its plugin has opened in code. */
  sendToOpenRoute(): Promise<Answer> {
    return send(this.port, { path: `/api/${pluginOf(this.labels)}/open` });
  }

  /** Replaces the file in one step by the replica's configuration with some changes. */
  write(changes: JsonObject): void {
    const changed = merge({}, this.#config, changes);
    writeFileSync(`${this.#file}.new`, stringify(changed));
    renameSync(`${this.#file}.new`, this.#file);
  }

  /** Starts it again from an image that has the gate, or has not. */
  async replace(image: { isWithoutGate: boolean }): Promise<void> {
    this.write(image);
    await this.terminate();
    await this.start();
  }

  setDiscoveryFault(isOn: boolean): Promise<void> {
    return this.ask('set fault of discovery', { isOn });
  }
}
