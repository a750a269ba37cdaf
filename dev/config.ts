import { Config } from '@backstage/config';
import {
  ClosableConfig,
  ConfigSources,
  MutableConfigSource,
} from '@backstage/config-loader';
import type { JsonObject } from '@backstage/types';
import { merge } from 'lodash';

/** The calls that the page may make public, and the rules that do so. */
export const RULES: Record<string, JsonObject & { plugin: string }> = {
  hello: { plugin: 'hello', path: '/data' },
  echo: { plugin: 'proxy', path: '/echo' },
  clock: { plugin: 'clock', path: '/live', methods: ['WEBSOCKET'] },
};

const ALLOW = 'auth.apiGate.allow';

/** Reads `app-config.yaml`, or the files that `--config` names. */
export function readFiles(): Promise<ClosableConfig> {
  return ConfigSources.toConfig(ConfigSources.default({}));
}

/** The configuration of one of the backends: the files, and values in memory that override them. */
export class DevConfig {
  readonly #overrides: JsonObject;
  readonly #source: MutableConfigSource;
  readonly #public = new Set<string>();

  /** @param files - the configuration of the files alone */
  constructor(
    private readonly files: Config,
    overrides: JsonObject,
  ) {
    this.#overrides = overrides;
    this.#source = MutableConfigSource.create({
      data: overrides,
      context: 'dev/index.ts',
    });
    files.subscribe?.(() => this.#update());
  }

  /** Backstage's configuration service, which reloads when a file or an override changes. */
  load(): Promise<ClosableConfig> {
    return ConfigSources.toConfig(
      ConfigSources.merge([ConfigSources.default({}), this.#source]),
    );
  }

  get publicCalls(): string[] {
    return [...this.#public];
  }

  /** Adds or removes the rule of a call. No file changes. */
  setPublic(call: string, isPublic: boolean): void {
    this.#public[isPublic ? 'add' : 'delete'](call);
    this.#update();
  }

  /** Writes the rules. A list replaces the list of the files, so that it begins with a copy of theirs. */
  #update() {
    const added = this.publicCalls.map(call => ({
      ...RULES[call],
      reason: 'You have made it public on the page',
    }));
    const listed = this.files.getOptional(ALLOW);
    // The gate reports a list that is none, once the override is gone.
    const allow = [...(Array.isArray(listed) ? listed : []), ...added];
    this.#source.setData(
      // Without a value, the block would be gone from a source of the policy, and the gate would keep its policy.
      merge({}, this.#overrides, {
        auth: { apiGate: added.length > 0 ? { allow } : {} },
      }),
    );
  }
}
