import type {
  DiscoveryService,
  HttpAuthService,
} from '@backstage/backend-plugin-api';
import type { Request, Response } from 'express';
import type { DecodedToken } from './token';

/** The plugin that a request is for. */
export interface TargetPlugin {
  /** In lower case. */
  id: string;
  /** The id as it stands in the plugin's own path. */
  mountedAs: string;
  started(): Promise<void> | undefined;
  /** Whether the plugin accepts Backstage's own cookie at a path below it. */
  acceptsUserCookie(path: string): boolean;
  /** Whether the plugin serves a path below it to cookies: it has declared the path `user-cookie`. */
  isForCookies(path: string): boolean;
  /** The service that judges a token for this plugin. */
  httpAuthFor(
    token: DecodedToken | undefined,
  ): CredentialsReader | Promise<CredentialsReader>;
}

/** The part of an `httpAuth` that the gate uses. */
export type CredentialsReader = Pick<HttpAuthService, 'credentials'>;

/** The plugins of a backend, as the gate sees them. */
export interface BackendPlugins {
  /** Whether each plugin has keys of its own, by which its service tokens are verified. */
  hasPluginKeys: boolean;
  isInstalled(id: string): boolean;
  /**
   * The plugin that a request is for.
   *
   * @throws Refusal 503 while that can't be told
   */
  targetOf(req: Pick<Request, 'baseUrl' | 'params'>): TargetPlugin;
  /**
   * `undefined` once the keys of user tokens can be fetched.
   *
   * @throws Refusal 503
   */
  userKeysStarted(): Promise<void> | undefined;
  /**
   * Any plugin, for what is the same for all of them.
   *
   * @throws Refusal 503 while there is none
   */
  anyRegistered(): Pick<TargetPlugin, 'id' | 'httpAuthFor'> & {
    discovery: DiscoveryService;
  };
  /** All plugins that have registered: a user token that verifies for one of them verifies for each. */
  all(): Iterable<Pick<TargetPlugin, 'id' | 'httpAuthFor'>>;
  /**
   * Clears Backstage's own cookie as the cookie endpoint of an installed plugin does.
   *
   * @throws Refusal 503 while no plugin has registered
   */
  clearUserCookie(res: Response): Promise<void>;
}
