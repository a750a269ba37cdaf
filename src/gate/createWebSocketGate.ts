import type { IncomingMessage } from 'node:http';
import type {
  AuthService,
  HttpRouterServiceWebSocketContext,
  HttpRouterServiceWebSocketHandler,
  LoggerService,
  RootHttpRouterServiceWebSocketHandler,
} from '@backstage/backend-plugin-api';
import { answerUpgrade } from '../http/dispatchUpgrade';
import { readUpgradeTarget } from '../http/upgradeRequest';
import type { Plugins } from '../plugins/Plugins';
import type { SessionSockets } from '../revocation/SessionSockets';
import type { AdmittedUpgrade, UpgradeGate } from './createUpgradeGate';
import {
  AuthenticatedUpgrade,
  authenticateUpgrade,
  UpgradeServices,
} from './authenticateUpgrade';
import { Refusal } from '../decision/Refusal';
import { refuseUndecided } from '../decision/refuseUndecided';
import { toRefusal } from '../decision/toRefusal';

type RootHandler = RootHttpRouterServiceWebSocketHandler['handler'];
type Upgrade = Parameters<RootHandler>[0];

/** The services with which the gate wraps WebSocket handlers of plugins. */
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
  /** Backstage's own handler, which authenticates as the plugin has declared, and then calls the plugin's. */
  defaultHandler: RootHandler;
}

/**
 * Wraps the WebSocket handlers that plugins register since backend-defaults 0.19. A handler gets the credentials that the gate
 * has verified at the server, even if it declares itself unauthenticated. An upgrade that has not passed the server's gate is
 * decided here.
 *
 * @returns a function that returns the handler to register in place of a plugin's own
 */
export function createWebSocketGate(
  options: WebSocketGateOptions,
): (route: WebSocketRoute) => RootHandler {
  return route => async upgrade => {
    const { socket } = upgrade;
    const admitted = await admit(route, upgrade, options);
    const runHandler =
      admitted &&
      (await prepare(route, upgrade, admitted, options).catch(error => {
        const refusal = toRefusal(error, options.logger);
        const headers = refuseUndecided(refusal, options.logger);
        answerUpgrade(socket, refusal.status, headers);
        return undefined;
      }));
    if (!socket.destroyed) {
      await runHandler?.();
    }
  };
}

/** Returns the decision of the server's gate, or decides now. Returns `undefined` for an upgrade that was refused. */
async function admit(
  route: WebSocketRoute,
  { request, socket }: Upgrade,
  { upgradeGate }: WebSocketGateOptions,
): Promise<AdmittedUpgrade | undefined> {
  const admitted = upgradeGate.admitted(request);
  if (admitted?.plugin === route.pluginId.toLowerCase()) {
    return admitted;
  }
  const { path } = route.declared;
  const target = readUpgradeTarget(
    `/api/${route.pluginId}${path === '/' ? '' : path}`,
  );
  return target && upgradeGate.admit(request, socket, target);
}

/**
 * Returns a function that runs the handler of an admitted upgrade. In report-only that is Backstage's own handler where the
 * gate would refuse the upgrade, or where only an allow rule makes its path public.
 */
async function prepare(
  route: WebSocketRoute,
  upgrade: Upgrade,
  admitted: AdmittedUpgrade,
  options: WebSocketGateOptions,
): Promise<() => void | Promise<void>> {
  const { policy, reason } = admitted;
  const { auth, declared } = route;
  if (!reason || (reason.rule && !policy.isEnforced)) {
    return () => route.defaultHandler(upgrade);
  }
  let { judged } = reason;
  if (reason.rule && declared.authPolicy !== 'unauthenticated') {
    judged = await authenticateUnderRule(upgrade.request, admitted, options);
    const session = judged?.verified.token.session;
    if (session) {
      options.sockets.track(upgrade.socket, session);
    }
  }
  const context = await contextOf(judged, auth);
  return () => declared.handler({ ...upgrade, ...context });
}

/**
 * Authenticates an upgrade by its tokens, for a handler that needs credentials although a rule has made its path public.
 * Returns `undefined` if no token is valid. The cookie is not read.
 */
async function authenticateUnderRule(
  req: IncomingMessage,
  { plugin, policy }: AdmittedUpgrade,
  options: WebSocketGateOptions,
): Promise<AuthenticatedUpgrade | undefined> {
  try {
    return await authenticateUpgrade(
      {
        req,
        policy,
        plugin: options.plugins.installed(plugin),
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

/** Returns the context that Backstage's own handler would get: no credentials if nothing has authenticated the upgrade. */
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
