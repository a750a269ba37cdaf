// The signatures of docs/upstream.md, which a test compares with that page. Only the first two have code behind them: patch.js.

import type {
  IncomingMessage,
  RequestListener,
  ServerOptions,
} from 'node:http';
import type { Duplex } from 'node:stream';
import type {
  ExternalTokenHandler,
  PluginTokenHandler,
} from '@backstage/backend-defaults/auth';
import type {
  ExtendedHttpServer,
  HttpServerOptions,
  RootHttpRouterFactoryOptions,
} from '@backstage/backend-defaults/rootHttpRouter';
import type {
  AuthService,
  BackstageCredentials,
  DatabaseService,
  DiscoveryService,
  HttpRouterServiceAuthPolicy,
  LoggerService,
  RootConfigService,
  RootHttpRouterService,
  ServiceRef,
} from '@backstage/backend-plugin-api';
import type { Express } from 'express';

// 1

export interface DefaultAuthServiceOptions {
  pluginId: string;
  config: RootConfigService;
  database: DatabaseService;
  discovery: DiscoveryService;
  logger: LoggerService;
  /** Default: the handler stays as it is. */
  pluginTokenHandlerDecorator?(handler: PluginTokenHandler): PluginTokenHandler;
  /** Default: none. */
  externalTokenHandlers?: ExternalTokenHandler<unknown>[];
}

export declare class DefaultAuthService {
  private constructor();
  static create(options: DefaultAuthServiceOptions): Promise<AuthService>;
}

// 2

export type AuthPolicy = 'authenticated' | 'user-cookie' | 'unauthenticated';

export interface AuthPolicyDecider {
  /** Called once for each policy that a plugin declares. */
  declared?(
    policy: HttpRouterServiceAuthPolicy & {
      pluginId: string;
      isWebSocket: boolean;
    },
  ): void;
  /**
   * Returns the policy that holds for a request, or for the upgrade that a WebSocket handler is to get. An error refuses it.
   *
   * @param options.declared - what the plugin has declared for the path
   */
  decide(options: {
    pluginId: string;
    request: IncomingMessage;
    declared: AuthPolicy;
  }): AuthPolicy;
}

export declare const authPolicyDeciderServiceRef: ServiceRef<
  AuthPolicyDecider,
  'root'
>;

// 3

export interface RootHttpRouterWithGuard extends RootHttpRouterService {
  /**
   * Puts a guard in front of all listeners for upgrades at the server, present and future ones.
   *
   * @param guard - returns whether the upgrade goes on. If it does not, the guard has answered. An error closes the socket.
   */
  addUpgradeGuard?(
    guard: (upgrade: {
      request: IncomingMessage;
      socket: Duplex;
      head: Buffer;
    }) => boolean | Promise<boolean>,
  ): void;
}

// 4

export interface PluginTokenIssuer {
  issueToken(options: {
    pluginId: string;
    targetPluginId: string;
    onBehalfOf?: { limitedUserToken: string; expiresAt: Date };
    /** The credentials that `getPluginRequestToken` was called with, which have the principal. */
    credentials?: BackstageCredentials;
  }): Promise<{ token: string }>;
}
