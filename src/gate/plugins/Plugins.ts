import type {
  AuditorService,
  AuthService,
  DiscoveryService,
  HttpAuthService,
} from '@backstage/backend-plugin-api';
import type { Request, Response } from 'express';
import { Refusal } from '../Refusal';
import { pluginIdOf, rawPluginId } from '../read/mountedRequest';
import { DecodedToken, effectiveUserToken } from '../read/token';
import type {
  BackendPlugins,
  TargetPlugin,
  UninstalledPluginAuth,
} from './BackendPlugins';
import type { TokenVerifier } from '../verify/TokenCache';
import { withTimeout } from '../util/time';
import type { DeclaredPolicies } from './DeclaredPolicies';

/** The services of a plugin, which the gate gets before the plugin's `init` runs. */
export interface RegisteredPlugin extends Pick<
  TargetPlugin,
  'isUp' | 'readsBoundTokens' | 'started'
> {
  id: string;
  auditor: AuditorService;
  auth: AuthService;
  /** Verifies tokens by the plugin's `auth`. */
  verifier: TokenVerifier;
  httpAuth: HttpAuthService;
  discovery: DiscoveryService;
  uninstalledPluginAuth: UninstalledPluginAuth;
}

type InstalledPlugin = RegisteredPlugin & TargetPlugin;

const refuseStarting = async () => {
  throw Refusal.because('starting');
};

/**
 * Creates the target of requests for an installed plugin that has not registered. It becomes the plugin when that registers, so that
 * a request which waits can go on.
 */
function createExpectedPlugin(mountedAs: string, pauseMs: number) {
  let onRegistered!: () => void;
  const registered = new Promise<void>(resolve => {
    onRegistered = resolve;
  });
  let wait: Promise<void> | undefined;
  const target: TargetPlugin = {
    id: mountedAs.toLowerCase(),
    mountedAs,
    isRegistered: false,
    isUp: () => false,
    // All requests share one wait. Once it has failed, each is refused at once: the plugin may never register.
    started() {
      wait ??= withTimeout(registered, pauseMs, 'Not registered').catch(
        refuseStarting,
      );
      return wait;
    },
    servedBy: undefined,
    publicKeys: () => undefined,
    acceptsUserCookie: () => false,
    readsBoundTokens: false,
    verifierFor: refuseStarting,
  };
  return { target, onRegistered };
}

/** The plugins that are installed in this backend, with the services of those that have registered. */
export class Plugins implements BackendPlugins {
  readonly haveUpgrades = true;
  readonly #expected: Map<string, ReturnType<typeof createExpectedPlugin>>;
  readonly #registered = new Map<string, InstalledPlugin>();

  /** @param pauseMs - how long requests wait for an installed plugin to register */
  constructor(
    installedPluginIds: readonly string[],
    private readonly policies: Pick<
      DeclaredPolicies,
      'acceptsUserCookie' | 'isKnown'
    >,
    pauseMs = 0,
  ) {
    this.#expected = new Map(
      installedPluginIds.map(id => [
        id.toLowerCase(),
        createExpectedPlugin(id, pauseMs),
      ]),
    );
  }

  registeredIds(): string[] {
    return [...this.#registered.keys()];
  }

  installedIds(): string[] {
    return [...this.#expected.keys()];
  }

  isInstalled(id: string): boolean {
    return this.#expected.has(id);
  }

  register(plugin: RegisteredPlugin): void {
    const id = plugin.id.toLowerCase();
    const expected =
      this.#expected.get(id) ?? createExpectedPlugin(plugin.id, 0);
    const target = Object.assign(expected.target, {
      ...plugin,
      id,
      mountedAs: plugin.id,
      isRegistered: true,
      // An `httpRouter` service of the app's own may serve neither.
      servedBy: this.policies.isKnown(id) ? 'backstage' : undefined,
      publicKeys: async () => (await plugin.auth.listPublicServiceKeys()).keys,
      acceptsUserCookie: (path: string) =>
        this.policies.acceptsUserCookie(id, path),
      verifierFor: () => plugin.verifier,
    });
    this.#registered.set(id, target);
    expected.onRegistered();
  }

  targetOf(req: Pick<Request, 'baseUrl' | 'params'>): TargetPlugin {
    const id = pluginIdOf(req);
    const installed = this.installed(id);
    if (installed) {
      return installed;
    }
    // The plugin may be behind Backstage's gateway, so the request waits until the gateway is up.
    const gateway = this.installed('gateway');
    return {
      id,
      mountedAs: id,
      isRegistered: true,
      isUp: () => gateway?.isUp() ?? true,
      started: async () => gateway?.started(),
      servedBy: gateway && 'gateway',
      publicKeys: () => undefined,
      acceptsUserCookie: path => this.policies.acceptsUserCookie(id, path),
      readsBoundTokens: false,
      verifierFor: token => this.#uninstalledVerifier(req, token),
    };
  }

  /** @param id - in lower case */
  installed(id: string): TargetPlugin | undefined {
    return this.#expected.get(id)?.target;
  }

  userKeysPlugin(): TargetPlugin | undefined {
    return this.installed('auth');
  }

  anyRegistered(): InstalledPlugin {
    const [plugin] = this.#registered.values();
    if (!plugin) {
      throw Refusal.because('starting');
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

  #uninstalledVerifier(
    req: Pick<Request, 'baseUrl' | 'params'>,
    token: DecodedToken | undefined,
  ) {
    const { uninstalledPluginAuth, verifier } = this.anyRegistered();
    // A user's own token verifies for every plugin alike. A service with keys of its own is made only for the other tokens,
    // because any client can make up ids.
    return token && effectiveUserToken(token) === token
      ? verifier
      : uninstalledPluginAuth(rawPluginId(req), token);
  }
}
