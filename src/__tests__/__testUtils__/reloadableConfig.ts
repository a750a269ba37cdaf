import {
  coreServices,
  createServiceFactory,
  RootConfigService,
} from '@backstage/backend-plugin-api';
import { ConfigReader } from '@backstage/config';
import type { JsonObject } from '@backstage/types';

const toReader = (config: JsonObject | ConfigReader) =>
  config instanceof ConfigReader ? config : new ConfigReader(config);

/** Creates a configuration that changes as watched files do, but immediately. */
export function createReloadableConfig(initial: JsonObject | ConfigReader) {
  let current = toReader(initial);
  const changed: (() => void)[] = [];
  const config = new Proxy({} as RootConfigService, {
    get(_, key) {
      if (key === 'subscribe') {
        return (callback: () => void) => changed.push(callback);
      }
      const value = current[key as keyof ConfigReader];
      return typeof value === 'function' ? value.bind(current) : value;
    },
  });
  return {
    config,
    /** Gives the configuration to a backend. */
    feature: createServiceFactory({
      service: coreServices.rootConfig,
      deps: {},
      factory: () => config,
    }),
    change(data: JsonObject | ConfigReader) {
      current = toReader(data);
      changed.forEach(callback => callback());
    },
    /** Reports a change that changes nothing. */
    touch() {
      changed.forEach(callback => callback());
    },
  };
}
