import { InputError } from '@backstage/errors';
import { isUnambiguousPath } from '../http/requestTarget';
import { RULE_PATH } from './readAllowRules';
import { readObject } from './values';

/** A protected resource (RFC 9728), and the address of its metadata. */
export interface Challenge {
  plugin: string;
  /** Relative to the plugin: exact, or everything below it with a trailing `/**`. */
  path: string;
  /** An absolute URL. */
  resourceMetadata: string;
}

const PLUGIN_ID = /^[a-z0-9_-]+$/;

/**
 * Reads `auth.apiGate.challenges`.
 *
 * @param backend - `backend.baseUrl`: the metadata is of its origin
 * @throws InputError of one line that names the config path and what to write instead
 */
export function readChallenges(
  value: unknown,
  configPath: string,
  backend: URL,
): Challenge[] {
  if (value === undefined || value === null) {
    return [];
  }
  if (!Array.isArray(value)) {
    throw new InputError(
      `${configPath} must be a list, each item with a plugin, a path and resourceMetadata`,
    );
  }
  return value.map((item, i) => {
    const itemPath = `${configPath}[${i}]`;
    const { plugin, path, resourceMetadata } = readObject(item, {
      path: itemPath,
      keys: ['plugin', 'path', 'resourceMetadata'],
    });
    if (typeof plugin !== 'string' || !PLUGIN_ID.test(plugin)) {
      throw new InputError(
        `${itemPath}.plugin must be one plugin id in lower case, such as catalog`,
      );
    }
    if (!isResourcePath(path)) {
      throw new InputError(
        `${itemPath}.path must be a literal path relative to the plugin, such as /v1, or everything below it, such as /v1/**`,
      );
    }
    if (!isLiteralPath(resourceMetadata)) {
      throw new InputError(
        `${itemPath}.resourceMetadata must be a path of the origin of backend.baseUrl, such as /.well-known/oauth-protected-resource/api/${plugin}`,
      );
    }
    return {
      plugin,
      path,
      resourceMetadata: `${backend.origin}${resourceMetadata}`,
    };
  });
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
