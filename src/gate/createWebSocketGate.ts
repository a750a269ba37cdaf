import { IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type {
  AuthService,
  HttpRouterServiceWebSocketContext,
  HttpRouterServiceWebSocketHandler,
  LoggerService,
  RootHttpRouterServiceWebSocketHandler,
} from '@backstage/backend-plugin-api';
import { readBearer } from '../credentials/readCredential';
import { requireFew } from '../credentials/readUpgradeTokens';
import type { Decision } from './Decision';
import {
  JudgedUpgrade,
  judgeUpgrade,
  JudgeUpgradeOptions,
  UpgradePassage,
} from './judgeUpgrade';
import type { Plugins, TargetPlugin } from '../plugins/Plugins';
import type { Policy } from '../policy/Policy';
import { Refusal } from './Refusal';
import type { AllowRule } from '../policy/AllowList';
import { readProtocols } from '../credentials/readProtocols';
import { WEBSOCKET } from '../http/requestMethod';
import { saysRevoked, sessionClaimsOf } from '../revocation/requireNotRevoked';
import type { SessionSockets } from '../revocation/SessionSockets';
import { toRefusal } from './toRefusal';

type RootHandler = RootHttpRouterServiceWebSocketHandler['handler'];
type Upgrade = Parameters<RootHandler>[0];

/** What the gate decides about upgrades with. */
export interface WebSocketGateOptions extends JudgeUpgradeOptions {
  plugins: Plugins;
  /** The policy in force. */
  policy(): Policy;
  logger: LoggerService;
  sockets: SessionSockets;
}

/** A WebSocket handler of a plugin. */
export interface WebSocketRoute {
  pluginId: string;
  auth: AuthService;
  declared: HttpRouterServiceWebSocketHandler;
  /** Backstage's own way to the handler: it judges as the plugin has declared. */
  asStock: RootHandler;
}

/** One upgrade's way, as far as it has come. */
interface Passage extends UpgradePassage {
  route: WebSocketRoute;
  upgrade: Upgrade;
}

/** Why an upgrade may pass: what has authenticated it, or a rule, or both. */
type Admission =
  | { rule?: undefined; judged: JudgedUpgrade }
  | { rule: AllowRule; judged?: JudgedUpgrade };

/**
 * The gate for upgrades that Backstage routes at the server, past Express. Their raw path is a handler's own, byte for byte, or no
 * handler gets them. All handlers are behind it, whatever they declare.
 *
 * @returns what is to be registered in place of a handler
 */
export function createWebSocketGate(
  options: WebSocketGateOptions,
): (route: WebSocketRoute) => RootHandler {
  const { cookie, logger, observer, plugins, sockets } = options;

  /** An upgrade's way through the gate. Returns if it may pass, and throws if it may not. */
  async function decide(passage: Passage): Promise<Admission> {
    const { req, policy, route } = passage;
    const { authPolicy, path } = route.declared;
    const plugin = plugins.installed(route.pluginId.toLowerCase());
    await plugin.started();
    // Rules for handlers are exact.
    const rule = policy.allowList.match(plugin.id, WEBSOCKET, path);
    if (!rule) {
      return { judged: await judgeUpgrade(passage, plugin, options) };
    }
    refuseRevokedTokens(req);
    cookie?.removeFrom(req);
    return authPolicy === 'unauthenticated'
      ? { rule }
      : { rule, judged: await judgePublic(passage, plugin) };
  }

  /** What is public is so for anybody, but not as a user whose session was ended: handlers may look at the tokens. */
  function refuseRevokedTokens(req: IncomingMessage) {
    const bearer = readBearer(req);
    const tokens = [...readProtocols(req), ...(bearer ? [bearer] : [])];
    requireFew(tokens);
    if (tokens.some(token => saysRevoked(token, options))) {
      throw Refusal.revoked;
    }
  }

  /** A handler that asks for credentials gets those of a token on a public path too, if there is a valid one. */
  async function judgePublic({ req, policy }: Passage, plugin: TargetPlugin) {
    try {
      return await judgeUpgrade({ req, policy, credential: 'none' }, plugin, {
        ...options,
        cookie: undefined,
      });
    } catch (error) {
      if (error instanceof Refusal) {
        return undefined;
      }
      throw error;
    }
  }

  /** @returns what runs the handler */
  async function admit(passage: Passage, admission: Admission) {
    const { policy, route, upgrade } = passage;
    const { rule, judged } = admission;
    const context = await contextOf(judged, route.auth);
    settle(
      passage,
      admission.rule
        ? { outcome: 'passed', reason: 'allow-rule', rule }
        : { outcome: 'passed', reason: admission.judged.presented.kind },
    );
    // In report-only a rule opens nothing that the plugin has not opened.
    if (rule && !policy.isEnforced) {
      return () => route.asStock(upgrade);
    }
    const session = judged && sessionClaimsOf(judged.verified.userToken ?? {});
    if (session) {
      sockets.track(upgrade.socket, session);
    }
    return () => route.declared.handler({ ...upgrade, ...context });
  }

  /** @returns what runs the handler: in report-only, Backstage's own way to it */
  function refuse(passage: Passage, refusal: Refusal) {
    const { policy, req, route, upgrade } = passage;
    const { reason } = refusal;
    if (policy.isEnforced) {
      settle(passage, { outcome: 'refused', reason }, refusal);
      answer(upgrade.socket, refusal);
      return undefined;
    }
    settle(passage, { outcome: 'would-refuse', reason }, refusal);
    cookie?.removeFrom(req);
    sockets.track(upgrade.socket, 'not-admitted');
    return () => route.asStock(upgrade);
  }

  function settle(
    { route, credential }: Passage,
    decision: Omit<Decision, 'plugin' | 'credential'>,
    refusal?: Refusal,
  ) {
    observer.decided(
      { method: WEBSOCKET, path: route.declared.path },
      { ...decision, plugin: route.pluginId.toLowerCase(), credential },
      refusal?.error,
    );
  }

  return route => async upgrade => {
    const { request: req, socket } = upgrade;
    const policy = options.policy();
    const passage: Passage = {
      req,
      policy,
      credential: 'none',
      route,
      upgrade,
    };
    const runHandler = await decide(passage)
      .then(admission => admit(passage, admission))
      .catch(error => refuse(passage, toRefusal(error, logger)))
      // Whatever happens, the handler runs only where the decision is to pass.
      .catch(() => answer(socket, Refusal.failed));
    if (!socket.destroyed) {
      await runHandler?.();
    }
  };
}

/** As Backstage's own: none, where nothing has authenticated the upgrade. */
async function contextOf(
  judged: JudgedUpgrade | undefined,
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

const STATUS_BY_ERROR: Record<string, number> = {
  InputError: 400,
  AuthenticationError: 401,
  NotAllowedError: 403,
};

/** Refuses an upgrade on its bare socket, and closes it. */
function answer(socket: Duplex, { error, headers }: Refusal): void {
  const status = STATUS_BY_ERROR[error.name] ?? 503;
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Length: 0',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n`, () => socket.destroy());
}
