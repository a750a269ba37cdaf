import { InputError } from '@backstage/errors';
import { readPluginPath } from './readAllowRules';
import { readObject } from './values';

/** One entry of `auth.apiGate.cookie.trustedPaths`: what the cookie opens there may run as the signed-in user. */
export interface TrustedPath {
  /** Id of the plugin, lower case. */
  plugin: string;
  /** Relative to the plugin: an exact path, or a subtree with a trailing `/**`. */
  path: string;
}

/**
 * Reads the trusted paths, by the grammar of allow rules.
 *
 * @param configPath - for messages, such as `auth.apiGate.cookie.trustedPaths`
 * @throws InputError of one line that names the config path and what to write instead
 */
export function readTrustedPaths(
  value: unknown,
  configPath: string,
): { trustedPaths: TrustedPath[]; warnings: string[] } {
  if (value === undefined || value === null) {
    return { trustedPaths: [], warnings: [] };
  }
  if (!Array.isArray(value)) {
    throw new InputError(
      `${configPath} must be a list of objects, each with a plugin and a path`,
    );
  }
  const trustedPaths = value.map((item, i) => {
    const { plugin, path } = readObject(item, {
      path: `${configPath}[${i}]`,
      keys: ['plugin', 'path'],
    });
    return readPluginPath(plugin, path, `${configPath}[${i}]`);
  });
  const warnings = trustedPaths.flatMap(({ plugin, path }, i) =>
    path === '/**'
      ? [
          `${configPath}[${i}] lets every page and script of the plugin ${plugin} act as the user who opens it: name the paths whose content you trust`,
        ]
      : [],
  );
  return { trustedPaths, warnings };
}
