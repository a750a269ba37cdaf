import type { AllowRule } from './AllowRule';
import { readPluginPath } from './readAllowRules';
import { readList, readObject, readStringList } from './values';

/** An entry of `auth.apiGate.cookie.trustedPaths`, checked: pages that the cookie opens there may act as the user. */
export type TrustedPath = Pick<AllowRule, 'plugin' | 'path'>;

/** Reads origins as browsers write them, because they are compared so: no path, no wildcard, no default port. */
export function readOrigins(value: unknown, configPath: string): string[] {
  return readStringList(value, configPath, {
    isValid: origin =>
      /^https?:\/\/[^*]+$/.test(origin) &&
      URL.canParse(origin) &&
      new URL(origin).origin === origin,
    description:
      'one origin, such as https://portal.example.com, without a path or a wildcard',
  });
}

/** Reads the trusted paths, by the grammar of allow rules. */
export function readTrustedPaths(
  value: unknown,
  configPath: string,
): TrustedPath[] {
  return readList(
    value,
    configPath,
    'a list of objects, each with a plugin and a path',
    (item, itemPath) => {
      const { plugin, path } = readObject(item, itemPath, ['plugin', 'path']);
      return readPluginPath(plugin, path, itemPath);
    },
  );
}
