import type {
  AuditorService,
  AuthService,
  DiscoveryService,
  HttpAuthService,
} from '@backstage/backend-plugin-api';
import type { Request, Response } from 'express';
import { Refusal } from '../decision/Refusal';
import { DecodedToken, userTokenOf } from '../credentials/token';
import type { AbsentPluginHttpAuth } from '../credentials/absentPluginHttpAuth';
import type {
  BackendPlugins,
  TargetPlugin,
} from '../credentials/BackendPlugins';
import type { DeclaredPolicies } from './DeclaredPolicies';

/** What a plugin hands to the gate before its `init` runs. */
export interface EnrolledPlugin {
  id: string;
  auditor: AuditorService;
  auth: AuthService;
  httpAuth: HttpAuthService;
  discovery: DiscoveryService;
  absentPluginHttpAuth: AbsentPluginHttpAuth;
  /** `undefined` once the plugin is up. Rejects with a `ServiceUnavailableError` if that takes too long. */
  started(): Promise<void> | undefined;
}

/** A plugin that has enrolled, as a target. */
type InstalledPlugin = EnrolledPlugin & TargetPlugin;

/**
 * The id of the plugin that Express routes a request to, as the request spells it. Express matches the raw path without
 * case, and decodes only the parameter: behind an escape there is no plugin, whatever it decodes to.
 */
function spelledIdOf({
  baseUrl,
  params,
}: Pick<Request, 'baseUrl' | 'params'>): string {
  const isEscaped = baseUrl.includes('%', baseUrl.lastIndexOf('/'));
  return isEscaped ? '%' : params.gatedPluginId;
}

/** The same in lower case, in which ids are compared. */
export function pluginIdOf(req: Pick<Request, 'baseUrl' | 'params'>): string {
  return spelledIdOf(req).toLowerCase();
}

/** The plugins of this backend: those that are installed, and those of them that have enrolled. */
export class Plugins implements BackendPlugins {
  readonly hasPluginKeys = true;
  #installed: ReadonlySet<string> | undefined;
  readonly #enrolled = new Map<string, InstalledPlugin>();

  /** @param installedPluginIds - `undefined` where only a plugin can list them, see {@link Plugins.setInstalled} */
  constructor(
    installedPluginIds: readonly string[] | undefined,
    private readonly policies: Pick<DeclaredPolicies, 'acceptsStockCookie'>,
  ) {
    if (installedPluginIds) {
      this.setInstalled(installedPluginIds);
    }
  }

  /** Whether it is set which plugins are installed. Until then every request is refused as one to a starting backend. */
  get isSet(): boolean {
    return this.#installed !== undefined;
  }

  setInstalled(pluginIds: readonly string[]): void {
    this.#installed = new Set(pluginIds.map(id => id.toLowerCase()));
  }

  enrolledIds(): string[] {
    return [...this.#enrolled.keys()];
  }

  isInstalled(id: string): boolean {
    return this.#installed?.has(id) ?? false;
  }

  enroll(plugin: EnrolledPlugin): void {
    const id = plugin.id.toLowerCase();
    this.#enrolled.set(id, {
      ...plugin,
      id,
      mountedAs: plugin.id,
      acceptsStockCookie: path => this.policies.acceptsStockCookie(id, path),
      isForCookies: path => this.policies.acceptsStockCookie(id, path),
      httpAuthFor: () => plugin.httpAuth,
    });
  }

  /**
   * The plugin that a request is for.
   *
   * @throws Refusal 503 while the plugin has not enrolled
   */
  targetOf(req: Pick<Request, 'baseUrl' | 'params'>): TargetPlugin {
    if (!this.isSet) {
      throw Refusal.starting();
    }
    const id = pluginIdOf(req);
    if (this.isInstalled(id)) {
      return this.installed(id);
    }
    return {
      id,
      mountedAs: id,
      // Only once Backstage's gateway is up is it known that the plugin is not behind it either.
      started: () => this.#started('gateway'),
      acceptsStockCookie: path => this.policies.acceptsStockCookie(id, path),
      isForCookies: path => this.policies.acceptsStockCookie(id, path),
      httpAuthFor: token => this.#absentPluginHttpAuth(req, token),
    };
  }

  /**
   * An installed plugin.
   *
   * @param id - in lower case
   * @throws Refusal 503 while the plugin has not enrolled
   */
  installed(id: string): TargetPlugin {
    const plugin = this.#enrolled.get(id);
    if (!plugin) {
      throw Refusal.starting();
    }
    return plugin;
  }

  /**
   * `undefined` once the keys of user tokens can be fetched, and if the `auth` plugin is in another backend.
   *
   * @throws Refusal 503
   */
  userKeysStarted(): Promise<void> | undefined {
    return this.#started('auth');
  }

  /**
   * Any enrolled plugin, for what is the same for all of them.
   *
   * @throws Refusal 503 while there is none
   */
  any(): InstalledPlugin {
    const [plugin] = this.#enrolled.values();
    if (!plugin) {
      throw Refusal.starting();
    }
    return plugin;
  }

  /** All plugins that have enrolled. */
  all(): Iterable<InstalledPlugin> {
    return this.#enrolled.values();
  }

  /** Clears Backstage's own cookie. It has one name, path and domain for all plugins. */
  async clearStockCookie(res: Response): Promise<void> {
    const { auth, httpAuth } = this.any();
    const credentials = await auth.getNoneCredentials();
    await httpAuth.issueUserCookie(res, { credentials });
  }

  /** An enrolled plugin, or any one for what is not installed; `undefined` while there is none. */
  find(id: string): EnrolledPlugin | undefined {
    const [first] = this.#enrolled.values();
    return this.#enrolled.get(id) ?? first;
  }

  /** `undefined` once a plugin is up, and if it is not installed. */
  #started(id: string): Promise<void> | undefined {
    return this.isInstalled(id) ? this.installed(id).started() : undefined;
  }

  #absentPluginHttpAuth(
    req: Pick<Request, 'baseUrl' | 'params'>,
    token: DecodedToken | undefined,
  ) {
    const { httpAuth, absentPluginHttpAuth } = this.any();
    // A user's own token is the same for every plugin. What differs is made only for what needs it: each has keys of its
    // own to fetch, and any client can make up ids.
    return token && userTokenOf(token) === token
      ? httpAuth
      : absentPluginHttpAuth(spelledIdOf(req), token);
  }
}
