import type { Config } from '@backstage/config';

// Settings of Backstage and of other plugins are read as these read them. All of them are optional. A value of a wrong type counts
// as absent, because the plugin itself refuses it.

/** Returns the value at a config path. */
export type Get = (key: string) => unknown;

export function createGet(config: Config): Get {
  return key => {
    try {
      return config.getOptional(key);
    } catch {
      // A parent has a wrong type.
      return undefined;
    }
  };
}

export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

export function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

export function asTexts(value: unknown): string[] {
  return asList(value).filter(isText);
}
