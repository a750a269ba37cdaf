import type {
  DiscoveryService,
  HttpAuthService,
} from '@backstage/backend-plugin-api';
import type { Request } from 'express';
import { Refusal } from './Refusal';
import type { AbsentPluginHttpAuth } from './credential/absentPluginHttpAuth';

/** What a plugin hands to the gate before its `init` runs. */
export interface EnrolledPlugin {
  id: string;
  httpAuth: HttpAuthService;
  discovery: DiscoveryService;
  absentPluginHttpAuth: AbsentPluginHttpAuth;
  /** Resolves once the plugin is up; rejects with a `ServiceUnavailableError` if that takes too long. */
  started(): Promise<void>;
  /** Whether the plugin accepts Backstage's own cookie at a path below it. */
  acceptsStockCookie(path: string): boolean;
}

/** The plugin that a request is for. */
export interface TargetPlugin {
  /** In lower case. */
  id: string;
  started(): Promise<void>;
  acceptsStockCookie(path: string): boolean;
  /** The services that judge a credential for this plugin. */
  httpAuth(): HttpAuthService | Promise<HttpAuthService>;
}

/**
 * The id of the plugin that Express routes a request to, in lower case. Express matches the raw path without case, and
 * decodes only the parameter: behind an escape there is no plugin, whatever it decodes to.
 */
export function pluginIdOf(req: Request): string {
  return req.baseUrl.includes('%')
    ? '%'
    : req.params.gatedPluginId.toLowerCase();
}

/** The plugins of this backend: those that are installed, and those of them that have enrolled. */
export class Plugins {
  readonly #installed: ReadonlySet<string>;
  readonly #enrolled = new Map<string, EnrolledPlugin>();

  constructor(installedPluginIds: readonly string[]) {
    this.#installed = new Set(installedPluginIds.map(id => id.toLowerCase()));
  }

  isInstalled(id: string): boolean {
    return this.#installed.has(id);
  }

  enroll(plugin: EnrolledPlugin): void {
    this.#enrolled.set(plugin.id.toLowerCase(), plugin);
  }

  /**
   * The plugin that a request is for.
   *
   * @throws Refusal 503 while the plugin has not enrolled
   */
  targetOf(req: Request): TargetPlugin {
    const id = pluginIdOf(req);
    if (this.isInstalled(id)) {
      const plugin = this.#requireEnrolled(id);
      return { ...plugin, id, httpAuth: () => plugin.httpAuth };
    }
    return {
      id,
      started: async () => {},
      acceptsStockCookie: () => false,
      httpAuth: () => this.any().absentPluginHttpAuth(id),
    };
  }

  /**
   * Resolves once the keys of user tokens can be fetched: at once if the `auth` plugin is in another backend.
   *
   * @throws Refusal 503
   */
  async userKeysStarted(): Promise<void> {
    if (this.isInstalled('auth')) {
      await this.#requireEnrolled('auth').started();
    }
  }

  /**
   * Any enrolled plugin, for what is the same for all of them.
   *
   * @throws Refusal 503 while there is none
   */
  any(): EnrolledPlugin {
    for (const plugin of this.#enrolled.values()) {
      return plugin;
    }
    throw Refusal.unavailable('starting', 'Service has not started up yet');
  }

  #requireEnrolled(id: string): EnrolledPlugin {
    const plugin = this.#enrolled.get(id);
    if (!plugin) {
      throw Refusal.unavailable('starting', 'Service has not started up yet');
    }
    return plugin;
  }
}
