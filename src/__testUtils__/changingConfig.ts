import type { RootConfigService } from '@backstage/backend-plugin-api';
import { ConfigReader } from '@backstage/config';
import type { JsonObject } from '@backstage/types';

/** Creates a configuration whose `auth.apiGate` changes as a watched file does. It implements the methods that the gate uses. */
export function createChangingConfig(initial: JsonObject): {
  config: RootConfigService;
  change(apiGate: JsonObject): void;
} {
  let current = initial;
  const changed: (() => void)[] = [];
  const read = () =>
    new ConfigReader({
      backend: { baseUrl: 'http://localhost' },
      auth: { apiGate: current },
    });
  return {
    config: {
      getOptional: (key: string) => read().getOptional(key),
      getString: (key: string) => read().getString(key),
      getOptionalString: (key: string) => read().getOptionalString(key),
      subscribe: (callback: () => void) => {
        changed.push(callback);
      },
    } as unknown as RootConfigService,
    change(apiGate) {
      current = apiGate;
      changed.forEach(callback => callback());
    },
  };
}
