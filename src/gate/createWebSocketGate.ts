import type { IncomingMessage } from 'node:http';
import type {
  AuthService,
  HttpRouterServiceWebSocketContext,
  HttpRouterServiceWebSocketHandler,
  LoggerService,
  RootHttpRouterServiceWebSocketHandler,
} from '@backstage/backend-plugin-api';
import { answerUpgrade } from '../http/answerUpgrade';
import { readUpgradeTarget } from '../http/upgradeTarget';
import type { Plugins } from '../plugins/Plugins';
import { sessionClaimsOf } from '../credentials/assertNotRevoked';
import type { SessionSockets } from '../revocation/SessionSockets';
import type { AdmittedUpgrade, UpgradeGate } from './createUpgradeGate';
import {
  AuthenticatedUpgrade,
  authenticateUpgrade,
  UpgradeServices,
} from './authenticateUpgrade';
import { Refusal } from '../decision/Refusal';
import { toRefusal } from '../decision/toRefusal';

type RootHandler = RootHttpRouterServiceWebSocketHandler['handler'];
type Upgrade = Parameters<RootHandler>[0];

/** What WebSocket handlers of plugins are wrapped with. */
export interface WebSocketGateOptions extends UpgradeServices {
  plugins: Plugins;
  logger: LoggerService;
  sockets: SessionSockets;
  upgradeGate: UpgradeGate;
}

/** A WebSocket handler of a plugin. */
export interface WebSocketRoute {
  pluginId: string;
  auth: AuthService;
  declared: HttpRouterServiceWebSocketHandler;
  /** Backstage's own way to the handler: it judges as the plugin has declared. */
  defaultHandler: RootHandler;
}

/**
 * Wraps the WebSocket handlers that plugins register since backend-defaults 0.19. A handler gets the credentials that the gate
 * has verified at the server, whatever the handler declares. An upgrade that has not come through the server's gate is judged
 * here.
 *
 * @returns what is to be registered in place of a handler
 */
export function createWebSocketGate(
  options: WebSocketGateOptions,
): (route: WebSocketRoute) => RootHandler {
  const { logger, plugins, sockets, upgradeGate } = options;

  async function admit(route: WebSocketRoute, { request, socket }: Upgrade) {
    const plugin = route.pluginId.toLowerCase();
    const admitted = upgradeGate.admitted(request);
    if (admitted?.plugin === plugin) {
      return admitted;
    }
    const { path } = route.declared;
    const target = readUpgradeTarget(
      `/api/${route.pluginId}${path === '/' ? '' : path}`,
    );
    return target && upgradeGate.admit(request, socket, target);
  }

  /** Returns the credentials of a valid token for a handler that asks for them, though a rule has made its path public. */
  async function credentialsUnderRule(
    req: IncomingMessage,
    { plugin, policy }: AdmittedUpgrade,
  ): Promise<AuthenticatedUpgrade | undefined> {
    try {
      return await authenticateUpgrade(
        {
          req,
          policy,
          plugin: plugins.installed(plugin),
          credential: 'none',
          forwarded: {},
        },
        { ...options, cookie: undefined },
      );
    } catch (error) {
      if (error instanceof Refusal) {
        return undefined;
      }
      throw error;
    }
  }

  /** Returns what runs the handler: in report-only, Backstage's own way to it where the gate alone would open it. */
  async function prepare(
    route: WebSocketRoute,
    upgrade: Upgrade,
    admitted: AdmittedUpgrade,
  ): Promise<() => void | Promise<void>> {
    const { policy, reason } = admitted;
    const { auth, declared } = route;
    if (!reason || (reason.rule && !policy.isEnforced)) {
      return () => route.defaultHandler(upgrade);
    }
    let { judged } = reason;
    if (reason.rule && declared.authPolicy !== 'unauthenticated') {
      judged = await credentialsUnderRule(upgrade.request, admitted);
      const session =
        judged && sessionClaimsOf(judged.verified.userToken ?? {});
      if (session) {
        sockets.track(upgrade.socket, session);
      }
    }
    const context = await contextOf(judged, auth);
    return () => declared.handler({ ...upgrade, ...context });
  }

  return route => async upgrade => {
    const { socket } = upgrade;
    const admitted = await admit(route, upgrade);
    const runHandler =
      admitted &&
      (await prepare(route, upgrade, admitted).catch(error => {
        const { status, headers } = toRefusal(error, logger);
        answerUpgrade(socket, status, headers);
        return undefined;
      }));
    if (!socket.destroyed) {
      await runHandler?.();
    }
  };
}

/** As Backstage's own: none, where nothing has authenticated the upgrade. */
async function contextOf(
  judged: AuthenticatedUpgrade | undefined,
  auth: AuthService,
): Promise<
  Pick<HttpRouterServiceWebSocketContext, 'credentials' | 'authProtocol'>
> {
  return judged
    ? {
        credentials: judged.verified.credentials,
        authProtocol: judged.presented.authProtocol,
      }
    : { credentials: await auth.getNoneCredentials() };
}
