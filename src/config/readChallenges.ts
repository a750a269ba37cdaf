import { isUnambiguousPath } from '../http/requestTarget';
import { prefixOf } from './AllowRule';
import { readPluginId, RULE_PATH } from './readAllowRules';
import { check, readList, readObject } from './values';

/**
 * Reads the protected resources (RFC 9728) and the addresses of their metadata.
 *
 * @param backend - `backend.baseUrl`: the metadata is of its origin
 */
export function readChallenges(
  value: unknown,
  configPath: string,
  backend: URL,
) {
  return readList(
    value,
    configPath,
    'a list, each item with a plugin, a path and resourceMetadata',
    (item, itemPath) => {
      const { path, resourceMetadata, ...others } = readObject(item, itemPath, [
        'plugin',
        'path',
        'resourceMetadata',
      ]);
      const plugin = readPluginId(others.plugin, itemPath);
      check(
        typeof path === 'string' &&
          (path === '/**' || isLiteralPath(prefixOf({ path }))),
        `${itemPath}.path must be a literal path relative to the plugin, such as /v1, or everything below it, such as /v1/**`,
      );
      check(
        isLiteralPath(resourceMetadata),
        `${itemPath}.resourceMetadata must be a path of the origin of backend.baseUrl, such as /.well-known/oauth-protected-resource/api/${plugin}`,
      );
      return {
        plugin,
        /** Relative to the plugin: exact, or everything below it with a trailing `/**`. */
        path,
        /** An absolute URL. */
        resourceMetadata: `${backend.origin}${resourceMetadata}`,
      };
    },
  );
}

function isLiteralPath(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.startsWith('/') &&
    RULE_PATH.test(value) &&
    isUnambiguousPath(value)
  );
}
