import {
  mountedAt,
  ORIGIN_FORM,
  pathBelowPlugin,
  withoutQuery,
} from '../../gate/read/requestLine';

/**
 * Reads a raw request target as Express and the gate read it, for a backend whose plugin ids are in lower case.
 *
 * @returns `undefined` for a target that is not below `/api/<plugin>`, which the gate does not guard; `unreadable` for a target
 *   that is not in origin-form, which is never public
 */
export function readApiTarget(target: string) {
  if (!ORIGIN_FORM.test(target)) {
    return 'unreadable' as const;
  }
  const [mount, id] = withoutQuery(target).match(/^\/api\/([^/]+)/i) ?? [];
  if (!mount || !id) {
    return undefined;
  }
  const plugin = id.toLowerCase();
  const request = mountedAt(mount, target);
  return {
    plugin,
    /** The path below the plugin; `undefined` if routers and proxies may read it differently. */
    path: id.includes('%') ? undefined : pathBelowPlugin(request, plugin),
  };
}
