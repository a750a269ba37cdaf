import type { DiscoveryService } from '@backstage/backend-plugin-api';
import type { Request } from 'express';
import {
  BackendPlugins,
  CredentialsReader,
  TargetPlugin,
} from '../credentials/BackendPlugins';
import { pluginIdOf } from '../plugins/Plugins';
import { coversTechDocsPages } from '../plugins/DeclaredPolicies';

/** The plugins of a legacy backend. They start before the server does, and a token is valid for each of them or for none. */
export class LegacyPlugins implements BackendPlugins {
  /** The service tokens of this system are signed with `backend.auth.keys`. */
  readonly hasPluginKeys = false;

  constructor(
    private readonly services: {
      discovery: DiscoveryService;
      httpAuth: CredentialsReader;
    },
  ) {}

  /** The legacy system has no list of its plugins. A plugin that is not installed has no handler that a request could reach. */
  isInstalled(): boolean {
    return true;
  }

  targetOf(req: Pick<Request, 'baseUrl' | 'params'>): TargetPlugin {
    const id = pluginIdOf(req);
    return {
      id,
      mountedAs: id,
      // Plugins of this system have neither keys nor a cookie endpoint.
      servedBy: undefined,
      publicKeys: () => undefined,
      started: () => undefined,
      // That cookie holds a limited token, which only the new backend system has.
      acceptsUserCookie: () => false,
      // Plugins of this system declare no policies.
      isForCookies: path => id === 'techdocs' && coversTechDocsPages(path),
      httpAuthFor: () => this.services.httpAuth,
    };
  }

  userKeysStarted(): undefined {}

  anyRegistered() {
    const { discovery, httpAuth } = this.services;
    return { id: 'auth', discovery, httpAuthFor: () => httpAuth };
  }

  /** Does nothing: the legacy system has no such cookie. */
  async clearUserCookie(): Promise<void> {}

  all() {
    return [this.anyRegistered()];
  }
}
