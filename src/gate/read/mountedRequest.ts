import type { Request } from 'express';
import { mountedAt, ORIGIN_FORM, withoutQuery } from './requestLine';

/** A request as Express presents it at the gate's mount, `/api/:gatedPluginId`. */
export type MountedRequest = Pick<
  Request,
  'originalUrl' | 'baseUrl' | 'url' | 'params'
>;

/**
 * Returns the id of the plugin that Express routes a request to, as it stands in the request. Express matches the raw path
 * without case, and decodes only the parameter: an id with an escape names no plugin, even if the decoded id would.
 */
export function rawPluginId({
  baseUrl,
  params,
}: Pick<MountedRequest, 'baseUrl' | 'params'>): string {
  const isEscaped = baseUrl.includes('%', baseUrl.lastIndexOf('/'));
  return isEscaped ? '%' : params.gatedPluginId;
}

/** Returns the id of the plugin that Express routes a request to, in lower case. Ids are compared in lower case. */
export function pluginIdOf(
  req: Pick<MountedRequest, 'baseUrl' | 'params'>,
): string {
  return rawPluginId(req).toLowerCase();
}

// A segment with an escape never names an installed plugin: see `Plugins`.
export const NO_PLUGIN = '%';

const MAX_ESCAPE_LEVELS = 3;

// The scheme and authority of an absolute-form target, in characters that every reader interprets the same.
const PLAIN_AUTHORITY = /^https?:\/\/[a-z0-9.:[\]-]+(?=\/)/i;

// A first segment that every reader takes as it stands.
const PLAIN_FIRST_SEGMENT = /^\/([A-Za-z0-9\-._~!$&'()*+,=:@]*)(?:[;/]|$)/;

/**
 * Reads the raw target of an upgrade as Express would at the gate's mount, though upgrades bypass Express.
 *
 * An upgrade listener may normalise a target in its own way. A target is outside `/api` only if no reader would find `/api` in
 * it: escapes, backslashes, dot segments, empty segments and other forms of a target are taken into account. A doubtful target is
 * returned as that of a plugin that is not installed, so that it needs a credential and no rule covers it.
 *
 * @returns `undefined` for a target outside `/api`
 */
export function readUpgradeTarget(target: string): MountedRequest | undefined {
  const doubtful = {
    originalUrl: target,
    baseUrl: '',
    // Reports show the path. Other forms of a target may hold a password.
    url: ORIGIN_FORM.test(target) ? target : '',
    params: { gatedPluginId: NO_PLUGIN },
  };
  const origin = target.replace(PLAIN_AUTHORITY, '');
  if (!ORIGIN_FORM.test(origin)) {
    return doubtful;
  }
  // A reader that decodes a path and then parses it as a URL drops tabs and line breaks (WHATWG URL).
  const path = decodeFully(withoutQuery(origin))
    ?.replace(/[\t\n\r]/g, '')
    .replace(/\\/g, '/');
  // Servers that cut parameters off a segment read `/..;x/` as a parent segment, too.
  if (path === undefined || /\/\.\.(?:[;/]|$)/.test(path)) {
    return doubtful;
  }
  const first = path.match(PLAIN_FIRST_SEGMENT)?.[1];
  if (first === undefined || first === '.' || (!first && path !== '/')) {
    return doubtful;
  }
  if (first.toLowerCase() !== 'api') {
    return undefined;
  }
  const [mount, pluginId] = target.match(/^\/api\/([^/?%]+)(?=[/?]|$)/i) ?? [];
  return mount
    ? { ...mountedAt(mount, target), params: { gatedPluginId: pluginId } }
    : doubtful;
}

/** Decodes a path until no escape is left. Returns `undefined` if that fails, or takes more levels than a legitimate client uses. */
function decodeFully(path: string): string | undefined {
  let decoded = path;
  try {
    for (let level = 0; level < MAX_ESCAPE_LEVELS; level += 1) {
      const once = decodeURIComponent(decoded);
      if (once === decoded) {
        return decoded;
      }
      decoded = once;
    }
  } catch {
    // The path has an invalid escape.
  }
  return undefined;
}
