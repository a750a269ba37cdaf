import type { Config } from '@backstage/config';
import type { JsonObject } from '@backstage/types';

/**
 * The config paths of the proxy plugin's endpoints with `ws: true`. Once one has had a request, it takes upgrades at the server
 * itself, where neither Backstage nor the gate sees them.
 */
export function findProxiedWebSockets(rootConfig: Config): string[] {
  // As the proxy plugin reads it: in the root of `proxy` only where there are no `endpoints`.
  const key =
    rootConfig.getOptional('proxy.endpoints') === undefined
      ? 'proxy'
      : 'proxy.endpoints';
  const endpoints = rootConfig.getOptional<JsonObject>(key);
  return Object.entries(endpoints ?? {})
    .filter(([, endpoint]) => (endpoint as JsonObject | null)?.ws === true)
    .map(([path]) => `${key}.${path}.ws`);
}
