import type { DiscoveryService } from '@backstage/backend-plugin-api';
import type { JsonObject } from '@backstage/types';
import type { Request, Response } from 'express';
import type { DecodedToken } from '../read/token';
import type { TokenVerifier } from '../verify/TokenCache';

/** The plugin that a request is for. */
export interface TargetPlugin {
  /** The plugin's id in lower case. */
  id: string;
  /** The id as it stands in the plugin's own path. */
  mountedAs: string;
  /** Whether the plugin has registered. Every request for an installed plugin waits for that. */
  isRegistered: boolean;
  /** Whether the plugin, or the gateway in front of it, is up. */
  isUp(): boolean;
  /** Resolves once the plugin is up; if that takes too long, rejects with an error of which `toRefusal` makes `starting`. */
  started(): Promise<void>;
  /**
   * Who serves the plugin's keys and its cookie endpoint, in front of all handlers: Backstage's own router, or its gateway.
   * `undefined` where a handler could receive such requests.
   */
  servedBy: 'backstage' | 'gateway' | undefined;
  /** Returns the keys that verify the plugin's service tokens; `undefined` if the plugin has none here. */
  publicKeys(): Promise<JsonObject[]> | undefined;
  /** Whether the plugin has declared a path below it as `user-cookie`: it accepts Backstage's own cookie there. */
  acceptsUserCookie(path: string): boolean;
  /** Whether the plugin's `httpAuth` reads the token that the gate has bound to a request. */
  readsBoundTokens: boolean;
  /** Returns what verifies a token for this plugin. */
  verifierFor(
    token: DecodedToken | undefined,
  ): TokenVerifier | Promise<TokenVerifier>;
}

/**
 * Makes what verifies a token for a plugin that is not installed in this backend.
 *
 * @param pluginId - as it stands in the path, where a client can put any text
 * @param token - the token to verify; `undefined` if it is no JWT
 * @throws Refusal 503 while requests for too many other plugins arrive
 */
export type UninstalledPluginAuth = (
  pluginId: string,
  token: DecodedToken | undefined,
) => Promise<TokenVerifier>;

/** The plugins of a backend. */
export interface BackendPlugins {
  isInstalled(id: string): boolean;
  /** Returns the plugin that a request is for. */
  targetOf(req: Pick<Request, 'baseUrl' | 'params'>): TargetPlugin;
  /** Whether plugins may serve upgrades. If not, the gate refuses each of them. */
  readonly haveUpgrades: boolean;
  /** Returns the plugin that has the keys of user tokens; `undefined` if it is in another backend. */
  userKeysPlugin(): Pick<TargetPlugin, 'isUp' | 'started'> | undefined;
  /**
   * Returns any registered plugin, for services that are the same for all plugins.
   *
   * @throws Refusal 503 while no plugin has registered
   */
  anyRegistered(): Pick<TargetPlugin, 'id' | 'verifierFor'> & {
    discovery: DiscoveryService;
  };
  /** Returns all registered plugins: a user token that verifies for one of them verifies for each. */
  all(): Iterable<Pick<TargetPlugin, 'id' | 'verifierFor'>>;
  /**
   * Clears Backstage's own cookie as the cookie endpoint of an installed plugin does.
   *
   * @throws Refusal 503 while no plugin has registered
   */
  clearUserCookie(res: Response): Promise<void>;
}
