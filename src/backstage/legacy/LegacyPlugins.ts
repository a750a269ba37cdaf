import type { DiscoveryService } from '@backstage/backend-plugin-api';
import type { Request } from 'express';
import {
  BackendPlugins,
  CredentialsReader,
  TargetPlugin,
} from '../../gate/plugins/BackendPlugins';
import {
  MountedRequest,
  NO_PLUGIN,
  pluginIdOf,
} from '../../gate/read/mountedRequest';
import { coversTechDocsPages } from '../../gate/plugins/DeclaredPolicies';

/** Stands among the gated ids for all plugins. This is no plugin's id. */
export const ALL_PLUGINS = '/**';

/** The plugins of a legacy backend. They start before the server does, and a token is valid for each of them or for none. */
export class LegacyPlugins implements BackendPlugins {
  readonly gatedIds = new Set<string>();

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
      isRegistered: true,
      isUp: () => true,
      started: async () => {},
      // Plugins of this system have neither keys nor a cookie endpoint.
      servedBy: undefined,
      publicKeys: () => undefined,
      // Plugins of this system declare no policies.
      acceptsUserCookie: path => id === 'techdocs' && coversTechDocsPages(path),
      httpAuthFor: () => this.services.httpAuth,
    };
  }

  /** Only plugins that have the gate in front of their requests have it in front of their upgrades. */
  guardsUpgrades(target: MountedRequest): boolean {
    return (
      this.gatedIds.has(ALL_PLUGINS) ||
      this.gatedIds.has(pluginIdOf(target)) ||
      target.params.gatedPluginId === NO_PLUGIN
    );
  }

  userKeysPlugin(): undefined {}

  anyRegistered() {
    const { discovery, httpAuth } = this.services;
    return { id: 'auth', discovery, httpAuthFor: () => httpAuth };
  }

  /** Does nothing: the legacy system has no such cookie. */
  async clearUserCookie(): Promise<void> {}

  /** Returns none: where one plugin can't verify a token, none can. */
  all() {
    return [];
  }
}
