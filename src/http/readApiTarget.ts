import { ORIGIN_FORM, withoutQuery } from './requestTarget';

/** The parts of a raw target that the gate decides by. */
export interface ApiTarget {
  /** The plugin's id in lower case. */
  plugin: string;
  /** The path below the plugin; `undefined` if routers and proxies may read it differently. */
  path: string | undefined;
}

/**
 * Reads a raw request target as Express and the gate read it, for a backend whose plugin ids are in lower case.
 *
 * @returns `undefined` for a target that is not below `/api/<plugin>`, which the gate does not guard; `unreadable` for a target
 *   that is not in origin-form, which is never public
 */
export function readApiTarget(
  target: string,
): ApiTarget | 'unreadable' | undefined {
  if (!ORIGIN_FORM.test(target)) {
    return 'unreadable';
  }
  const [, api, id, below] =
    withoutQuery(target).match(/^\/(api)\/([^/]+)(.*)$/i) ?? [];
  if (id === undefined) {
    return undefined;
  }
  const plugin = id.toLowerCase();
  // Express routes other spellings too. The gate accepts none of them for the allowlist.
  const isExact = api === 'api' && id === plugin && !id.includes('%');
  return {
    plugin,
    path: isExact && below !== '/' ? below || '/' : undefined,
  };
}
