import type {
  AuthService,
  HttpRouterServiceWebSocketHandler,
  RootHttpRouterServiceWebSocketHandler,
} from '@backstage/backend-plugin-api';
import { refuseUndecided, toRefusal } from '../Refusal';
import { answerUpgrade } from './dispatchUpgrade';
import { reportExternalToken } from '../decide';
import { readUpgradeTarget } from '../read/mountedRequest';
import type { AdmittedUpgrade, UpgradeGate } from './UpgradeGate';
import { judge, Judgement } from '../judge/judge';
import { readUpgradeTokens } from '../read/readTokens';
import { run } from '../verify/steps';
import { verifyTokens } from '../verify/verifyTokens';
import type { GateServices } from '../GateServices';

type RootHandler = RootHttpRouterServiceWebSocketHandler['handler'];
type Upgrade = Parameters<RootHandler>[0];

/** A WebSocket handler of a plugin. */
export interface WebSocketRoute {
  pluginId: string;
  auth: AuthService;
  declared: HttpRouterServiceWebSocketHandler;
  /** Backstage's own handler, which authenticates as the plugin has declared, and then calls the plugin's. */
  backstageHandler: RootHandler;
}

/**
 * Wraps the WebSocket handlers that plugins register since backend-defaults 0.19. A handler gets the credentials that the gate
 * has verified at the server, even if it declares itself unauthenticated. An upgrade that has not passed the server's gate is
 * decided here.
 *
 * @returns a function that returns the handler to register in place of a plugin's own
 */
export function createWebSocketGate({
  logger,
  upgradeGate,
}: Pick<GateServices, 'logger'> & { upgradeGate: UpgradeGate }): (
  route: WebSocketRoute,
) => RootHandler {
  return route => async upgrade => {
    const { socket } = upgrade;
    const admitted = await admit(route, upgrade, upgradeGate);
    const runHandler =
      admitted &&
      (await prepare(route, upgrade, admitted).catch(error => {
        const refusal = toRefusal(error, logger);
        const id = refuseUndecided(refusal, logger);
        answerUpgrade(socket, refusal.status, refusal.headersFor(id));
        return undefined;
      }));
    if (!socket.destroyed) {
      await runHandler?.();
    }
  };
}

/** Returns the decision of the server's gate, or decides now. Returns `undefined` for an upgrade that was refused. */
async function admit(
  { declared: { path }, pluginId }: WebSocketRoute,
  { request, socket }: Upgrade,
  upgradeGate: UpgradeGate,
): Promise<AdmittedUpgrade | undefined> {
  const admitted = upgradeGate.admitted(request);
  if (admitted?.request.pluginId === pluginId.toLowerCase()) {
    return admitted;
  }
  const target = readUpgradeTarget(
    `/api/${pluginId}${path === '/' ? '' : path}`,
  );
  return target && upgradeGate.admit(request, socket, target);
}

/**
 * Returns a function that runs the handler of an admitted upgrade. In report-only that is Backstage's own handler where the
 * gate would refuse the upgrade, or where only an allow rule makes its path public.
 */
async function prepare(
  { auth, backstageHandler, declared }: WebSocketRoute,
  upgrade: Upgrade,
  { judgement, request }: AdmittedUpgrade,
): Promise<() => void | Promise<void>> {
  const { refusal, rule } = judgement;
  if (refusal || (rule && !request.isEnforced)) {
    return () => backstageHandler(upgrade);
  }
  const authenticated = rule
    ? await authenticateUnderRule(request, declared)
    : judgement;
  if (rule && authenticated) {
    reportExternalToken(request, authenticated.verified!);
    // The server's gate has tracked the tokens of users only.
    for (const end of authenticated.socketEnds) {
      request.services.sockets.track(upgrade.socket, end);
    }
  }
  const context = authenticated
    ? {
        credentials: authenticated.verified!.credentials,
        authProtocol: authenticated.presented!.authProtocol,
      }
    : { credentials: await auth.getNoneCredentials() };
  return () => declared.handler({ ...upgrade, ...context });
}

/**
 * Authenticates an upgrade by its tokens, for a handler that needs credentials although a rule has made its path public.
 * Returns `undefined` if no token is valid. The cookie is not read.
 *
 * @throws Refusal if a service or plugin fails
 */
async function authenticateUnderRule(
  request: AdmittedUpgrade['request'],
  { authPolicy }: HttpRouterServiceWebSocketHandler,
): Promise<Judgement | undefined> {
  if (authPolicy === 'unauthenticated') {
    return undefined;
  }
  const { isEnforced, isUpgrade, places } = request;
  const tokens = readUpgradeTokens(request, { ...places, cookie: undefined });
  const found = await run(verifyTokens(request, tokens));
  const judgement = judge({ isEnforced, isUpgrade, route: 'protected' }, found);
  const { refusal } = judgement;
  if (refusal?.isUnexpected) {
    throw refusal;
  }
  return refusal ? undefined : judgement;
}
