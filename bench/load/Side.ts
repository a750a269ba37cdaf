import { renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { JsonObject } from '@backstage/types';
import { merge } from 'lodash';
import type { SigningKey } from '../../src/__tests__/__testUtils__/signingKey';
import { freePort } from '../../src/__tests__/__testUtils__/freePort';
import { BackendProcess } from '../../integration/BackendProcess';
import { send, until } from '../../integration/http';
import { MixedLoad, openPath } from './MixedLoad';
import type { BackendOptions, BackendSample, Sample } from './World';

const RELOAD_WITHIN_MS = 15_000;

const DAY_MS = 24 * 60 * 60 * 1000;
const FIRST_UNTIL = Date.parse('2099-01-01');

/** Returns the rules of the configuration of a number. No two configurations are alike. */
function rulesOf(number: number): JsonObject[] {
  const end = new Date(FIRST_UNTIL + number * DAY_MS).toISOString();
  const rules = [
    { plugin: 'hello', path: openPath(number) },
    { plugin: 'hello', path: '/demo', until: end.replace(/T.*/, '') },
  ];
  return number % 2 === 0 ? rules : rules.reverse();
}

/** One of the two backends: its process, its load, and what was measured. */
export class Side {
  readonly samples: Sample[] = [];

  private constructor(
    readonly name: 'gate' | 'stock',
    readonly process: BackendProcess,
    readonly load: MixedLoad,
    private readonly options: BackendOptions,
    private readonly config: JsonObject,
  ) {}

  /** @param config - the configuration that both backends have */
  static async create(
    name: 'gate' | 'stock',
    folder: string,
    key: SigningKey,
    config: JsonObject,
  ): Promise<Side> {
    const port = await freePort();
    const baseUrl = `http://localhost:${port}`;
    const withGate = name === 'gate';
    const options = {
      configFile: path.join(folder, `${name}.json`),
      metricsPort: await freePort(),
      withGate,
    };
    const child = new BackendProcess(name, port, {
      module: path.join(__dirname, 'backend.ts'),
      config: options,
      logFile: path.join(folder, `${name}.log`),
    });
    const load = new MixedLoad(port, withGate, claims =>
      key.sign({ iss: `${baseUrl}/api/auth`, ...claims }),
    );
    const own = {
      app: { baseUrl },
      backend: { baseUrl, listen: { host: '127.0.0.1', port } },
    };
    return new Side(name, child, load, options, merge(own, config));
  }

  async start(): Promise<void> {
    this.#writeConfig(0);
    await this.process.start();
    await this.load.begin();
  }

  /** Changes the rules in the file, and waits until the gate follows them. */
  async reload(number: number): Promise<void> {
    this.#writeConfig(number);
    if (this.options.withGate) {
      await until('the new rules are in force', RELOAD_WITHIN_MS, async () => {
        const now = await this.#statusOf(openPath(number));
        const before = await this.#statusOf(openPath(number - 1));
        return now === 200 && before === 401;
      });
    }
  }

  async sample(): Promise<void> {
    this.samples.push({
      ...(await this.process.ask<BackendSample>('sample')),
      series: await this.scrape(),
    });
  }

  /** Returns the number of series. */
  async scrape(): Promise<number> {
    const { body } = await send(this.options.metricsPort, { path: '/metrics' });
    return body.match(/^[^#\s].*$/gm)!.length;
  }

  async #statusOf(pathOfPlugin: string): Promise<number> {
    const target = `/api/hello${pathOfPlugin}`;
    return (await send(this.process.port, { path: target })).status;
  }

  #writeConfig(number: number) {
    const { configFile } = this.options;
    const rules = { auth: { apiGate: { allow: rulesOf(number) } } };
    const config = merge({}, this.config, rules);
    // Replace the file in one step, so that no half of it is read.
    writeFileSync(`${configFile}.new`, JSON.stringify(config));
    renameSync(`${configFile}.new`, configFile);
  }
}
