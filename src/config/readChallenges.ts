import { isUnambiguousPath } from '../http/requestTarget';
import { readPluginId, RULE_PATH } from './readAllowRules';
import { check, readList, readObject } from './values';

/** A protected resource (RFC 9728), and the address of its metadata. */
export interface Challenge {
  plugin: string;
  /** Relative to the plugin: exact, or everything below it with a trailing `/**`. */
  path: string;
  /** An absolute URL. */
  resourceMetadata: string;
}

/** @param backend - `backend.baseUrl`: the metadata is of its origin */
export function readChallenges(
  value: unknown,
  configPath: string,
  backend: URL,
): Challenge[] {
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
        isResourcePath(path),
        `${itemPath}.path must be a literal path relative to the plugin, such as /v1, or everything below it, such as /v1/**`,
      );
      check(
        isLiteralPath(resourceMetadata),
        `${itemPath}.resourceMetadata must be a path of the origin of backend.baseUrl, such as /.well-known/oauth-protected-resource/api/${plugin}`,
      );
      return {
        plugin,
        path,
        resourceMetadata: `${backend.origin}${resourceMetadata}`,
      };
    },
  );
}

function isResourcePath(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    (value === '/**' || isLiteralPath(value.replace(/\/\*\*$/, '')))
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
