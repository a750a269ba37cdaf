import type { DiscoveryService } from '@backstage/backend-plugin-api';
import type { Request } from 'express';
import {
  BackendPlugins,
  CredentialsReader,
  TargetPlugin,
} from '../credentials/BackendPlugins';
import { pluginIdOf } from '../plugins/Plugins';
import { coversTechDocsPages } from '../plugins/DeclaredPolicies';

/** The plugins of a legacy backend, all alike: they start before the server does, and a token is valid for each or for none. */
export class LegacyPlugins implements BackendPlugins {
  /** The service tokens of this system are made of `backend.auth.keys`. */
  readonly hasPluginKeys = false;

  constructor(
    private readonly services: {
      discovery: DiscoveryService;
      httpAuth: CredentialsReader;
    },
  ) {}

  /** Nothing tells which there are. A plugin that isn't there has no handler that a request could reach. */
  isInstalled(): boolean {
    return true;
  }

  targetOf(req: Pick<Request, 'baseUrl' | 'params'>): TargetPlugin {
    const id = pluginIdOf(req);
    return {
      id,
      mountedAs: id,
      started: () => undefined,
      // It holds a limited token, and these are of the new backend system.
      acceptsUserCookie: () => false,
      // Plugins of this system declare nothing.
      isForCookies: path => id === 'techdocs' && coversTechDocsPages(path),
      httpAuthFor: () => this.services.httpAuth,
    };
  }

  userKeysStarted(): undefined {}

  anyRegistered() {
    const { discovery, httpAuth } = this.services;
    return { id: 'auth', discovery, httpAuthFor: () => httpAuth };
  }

  /** Not called: every plugin counts as installed, and the legacy system has no such cookie. */
  async clearUserCookie(): Promise<void> {}

  all() {
    return [this.anyRegistered()];
  }
}
