import type {
  AuditorService,
  AuthService,
  DiscoveryService,
  HttpAuthService,
} from '@backstage/backend-plugin-api';
import type { Request, Response } from 'express';
import { Refusal } from '../decision/Refusal';
import { DecodedToken, effectiveUserToken } from '../credentials/token';
import type { UninstalledPluginAuth } from '../credentials/uninstalledPluginAuth';
import type {
  BackendPlugins,
  TargetPlugin,
} from '../credentials/BackendPlugins';
import type { DeclaredPolicies } from './DeclaredPolicies';

/** The services of a plugin, which the gate gets before the plugin's `init` runs. */
export interface RegisteredPlugin {
  id: string;
  auditor: AuditorService;
  auth: AuthService;
  httpAuth: HttpAuthService;
  discovery: DiscoveryService;
  uninstalledPluginAuth: UninstalledPluginAuth;
  /** `undefined` once the plugin is up. Rejects with a `ServiceUnavailableError` if that takes too long. */
  started(): Promise<void> | undefined;
}

/** A plugin that has registered, as the target of requests. */
type InstalledPlugin = RegisteredPlugin & TargetPlugin;

/**
 * Returns the id of the plugin that Express routes a request to, as it stands in the request. Express matches the raw path
 * without case, and decodes only the parameter: an id with an escape names no plugin, even if the decoded id would.
 */
function rawPluginId({
  baseUrl,
  params,
}: Pick<Request, 'baseUrl' | 'params'>): string {
  const isEscaped = baseUrl.includes('%', baseUrl.lastIndexOf('/'));
  return isEscaped ? '%' : params.gatedPluginId;
}

/** Returns the id of the plugin that Express routes a request to, in lower case. Ids are compared in lower case. */
export function pluginIdOf(req: Pick<Request, 'baseUrl' | 'params'>): string {
  return rawPluginId(req).toLowerCase();
}

/** The plugins that are installed in this backend, with the services of those that have registered. */
export class Plugins implements BackendPlugins {
  readonly hasPluginKeys = true;
  readonly #installed: ReadonlySet<string>;
  readonly #registered = new Map<string, InstalledPlugin>();

  constructor(
    installedPluginIds: readonly string[],
    private readonly policies: Pick<
      DeclaredPolicies,
      'acceptsUserCookie' | 'isKnown'
    >,
  ) {
    this.#installed = new Set(installedPluginIds.map(id => id.toLowerCase()));
  }

  registeredIds(): string[] {
    return [...this.#registered.keys()];
  }

  installedIds(): string[] {
    return [...this.#installed];
  }

  isInstalled(id: string): boolean {
    return this.#installed.has(id);
  }

  register(plugin: RegisteredPlugin): void {
    const id = plugin.id.toLowerCase();
    this.#registered.set(id, {
      ...plugin,
      id,
      mountedAs: plugin.id,
      // An `httpRouter` service of the app's own may serve neither.
      servedBy: this.policies.isKnown(id) ? 'backstage' : undefined,
      publicKeys: async () => (await plugin.auth.listPublicServiceKeys()).keys,
      acceptsUserCookie: path => this.policies.acceptsUserCookie(id, path),
      isForCookies: path => this.policies.acceptsUserCookie(id, path),
      httpAuthFor: () => plugin.httpAuth,
    });
  }

  /** @throws Refusal 503 while the plugin has not registered */
  targetOf(req: Pick<Request, 'baseUrl' | 'params'>): TargetPlugin {
    const id = pluginIdOf(req);
    if (this.isInstalled(id)) {
      return this.installed(id);
    }
    return {
      id,
      mountedAs: id,
      servedBy: this.isInstalled('gateway') ? 'gateway' : undefined,
      publicKeys: () => undefined,
      // A plugin may be behind Backstage's gateway, so the request waits until the gateway is up.
      started: () => this.#started('gateway'),
      acceptsUserCookie: path => this.policies.acceptsUserCookie(id, path),
      isForCookies: path => this.policies.acceptsUserCookie(id, path),
      httpAuthFor: token => this.#uninstalledPluginAuth(req, token),
    };
  }

  /**
   * Returns an installed plugin.
   *
   * @param id - in lower case
   * @throws Refusal 503 while the plugin has not registered
   */
  installed(id: string): TargetPlugin {
    const plugin = this.#registered.get(id);
    if (!plugin) {
      throw Refusal.starting();
    }
    return plugin;
  }

  /** `undefined` also if the `auth` plugin is in another backend. */
  userKeysStarted(): Promise<void> | undefined {
    return this.#started('auth');
  }

  anyRegistered(): InstalledPlugin {
    const [plugin] = this.#registered.values();
    if (!plugin) {
      throw Refusal.starting();
    }
    return plugin;
  }

  all(): Iterable<InstalledPlugin> {
    return this.#registered.values();
  }

  /** Clears Backstage's own cookie. It has one name, path and domain for all plugins. */
  async clearUserCookie(res: Response): Promise<void> {
    const { auth, httpAuth } = this.anyRegistered();
    const credentials = await auth.getNoneCredentials();
    await httpAuth.issueUserCookie(res, { credentials });
  }

  /** Returns the auditor of a plugin; of any other while that plugin has not registered, and `undefined` while none has. */
  auditorFor(id: string): AuditorService | undefined {
    const [first] = this.#registered.values();
    return (this.#registered.get(id) ?? first)?.auditor;
  }

  /** Returns `undefined` once a plugin is up, and if it is not installed. */
  #started(id: string): Promise<void> | undefined {
    return this.isInstalled(id) ? this.installed(id).started() : undefined;
  }

  #uninstalledPluginAuth(
    req: Pick<Request, 'baseUrl' | 'params'>,
    token: DecodedToken | undefined,
  ) {
    const { httpAuth, uninstalledPluginAuth } = this.anyRegistered();
    // A user's own token verifies for every plugin alike. A service with keys of its own is made only for the other tokens,
    // because any client can make up ids.
    return token && effectiveUserToken(token) === token
      ? httpAuth
      : uninstalledPluginAuth(rawPluginId(req), token);
  }
}
