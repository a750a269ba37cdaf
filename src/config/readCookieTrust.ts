import type { Config } from '@backstage/config';
import type { AllowRule } from './AllowRule';
import { readPluginPath } from './readAllowRules';
import { isObject, readList, readObject, readStringList } from './values';

/** An entry of `auth.apiGate.cookie.trustedPaths`, checked: pages that the cookie opens there may act as the user. */
export type TrustedPath = Pick<AllowRule, 'plugin' | 'path'>;

// Backstage matches each entry of `backend.cors.origin` by `minimatch`.
const PATTERN = /[*?[\]{}()!+@|\\]/;

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
): { trustedPaths: TrustedPath[]; warnings: string[] } {
  const warnings: string[] = [];
  const trustedPaths = readList(
    value,
    configPath,
    'a list of objects, each with a plugin and a path',
    (item, itemPath) => {
      const { plugin, path } = readObject(item, itemPath, ['plugin', 'path']);
      const trusted = readPluginPath(plugin, path, itemPath);
      if (path === '/**') {
        warnings.push(
          `${itemPath} lets every page and script of the plugin ${plugin} act as the user who opens it: name the paths whose content you trust`,
        );
      }
      return trusted;
    },
  );
  return { trustedPaths, warnings };
}

/**
 * Finds the entries of `backend.cors.origin` that are wider than the trusted origins: Backstage lets pages of these origins
 * read answers, and the gate refuses its cookie there.
 *
 * @returns the config path and the value of each
 */
export function findUntrustedCorsOrigins(
  rootConfig: Config,
  trustedOrigins: readonly string[],
): string[] {
  const path = 'backend.cors.origin';
  // Backstage stops the start at a value of another type.
  const cors = rootConfig.getOptional('backend.cors');
  const origin = isObject(cors) ? cors.origin : undefined;
  const isWider = (entry: unknown): entry is string =>
    typeof entry === 'string' &&
    (PATTERN.test(entry) || !trustedOrigins.includes(entry.toLowerCase()));
  return Array.isArray(origin)
    ? origin.flatMap((entry, i) =>
        isWider(entry) ? [`${path}[${i}] (${entry})`] : [],
      )
    : [origin].filter(isWider).map(entry => `${path} (${entry})`);
}
