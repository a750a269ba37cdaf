import type { Config } from '@backstage/config';
import { get as valueAt } from 'lodash';
import { asObject, isObject, isTrue } from '../../settings/read/values';

// Settings of Backstage and of other plugins are read as these read them. All of them are optional. A value of a wrong type counts
// as absent, because the plugin itself refuses it.

export type Get = (key: string) => unknown;

export function createGet(config: Config): Get {
  const root = config.getOptional();
  return key => valueAt(root, key.split('.'));
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

/** Returns whether a path equals a prefix or is below it. Ignores letter case, as Express does. */
export function isBelow(path: string, prefix: string): boolean {
  const withSlash = (text: string) => text.toLowerCase().replace(/\/*$/, '/');
  return withSlash(path).startsWith(withSlash(prefix));
}

export const NO_BARRIERS = 'backend.auth.dangerouslyDisableDefaultAuthPolicy';

export type ProxyEndpoint = ReturnType<typeof readProxyEndpoints>[number];

const SECRET_HEADER =
  /auth|token|secret|cookie|session|password|credential|api-?key|(^|[-_])key$/i;

export function readProxyEndpoints(get: Get) {
  const isAuthorization = (name: string) => /^authorization$/i.test(name);
  // The plugin still reads endpoints of the former place, if the present one is empty.
  const parent = isObject(get('proxy.endpoints')) ? 'proxy.endpoints' : 'proxy';
  const entries = Object.entries(asObject(get(parent))).filter(
    ([route]) => parent !== 'proxy' || route.startsWith('/'),
  );
  return entries.map(([route, value]) => {
    const { auth, credentials, ...settings } = asObject(value);
    const headers = Object.keys(asObject(settings.headers));
    const forwarded = asTexts(settings.allowedHeaders);
    return {
      at: `${parent}.${route}`,
      /** Below the plugin, as the configuration has it. */
      path: route,
      /** Whether the plugin itself lets requests without a credential pass. */
      isPublic: credentials === 'dangerously-allow-unauthenticated',
      /** Names of the settings that give each request a credential for the target. */
      secrets: [
        ...headers
          .filter(name => SECRET_HEADER.test(name))
          .map(name => `headers.${name}`),
        ...(isText(auth) ? ['auth'] : []),
      ],
      /** Whether the caller's `Authorization` goes to the target. */
      forwardsToken:
        (credentials === 'forward' || forwarded.some(isAuthorization)) &&
        // The header of the configuration replaces the caller's.
        !headers.some(isAuthorization),
      isWebSocket: isTrue(settings.ws),
      target: settings.target ?? value,
    };
  });
}
