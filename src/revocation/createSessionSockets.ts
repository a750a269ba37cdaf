import type { Duplex } from 'node:stream';
import type {
  AuthService,
  BackstageCredentials,
  HttpRouterService,
} from '@backstage/backend-plugin-api';
import { MAX_TIMEOUT_MS } from '../maxTimeout';
import { decodeToken } from '../request/token';
import { sessionClaimsOf } from './requireNotRevoked';
import { now, SessionClaims } from './Revocation';
import type { Revocations } from './Revocations';

type WebSocketHandler = Parameters<HttpRouterService['addWebSocketHandler']>[0];

/**
 * Makes WebSockets end with the session that opened them: at once when it is revoked, else when its token expires. Upgrades
 * of an ended session get 401, and 503 while that can't be told.
 *
 * @returns a decorator of what a plugin gives to `addWebSocketHandler`
 */
export function createSessionSockets(options: {
  auth: AuthService;
  revocations: Revocations;
  /** Whether an ended session has consequences. */
  isEnforced: () => boolean;
  /** Calls back once it has. */
  onEnforced: (callback: () => void) => void;
}): (handler: WebSocketHandler) => WebSocketHandler {
  const { auth, isEnforced, onEnforced, revocations } = options;
  const open = new Map<Duplex, SessionClaims>();

  const closeEnded = () => {
    if (isEnforced()) {
      for (const [socket, session] of open) {
        if (revocations.isRevoked(session) || session.exp <= now()) {
          socket.destroy();
        }
      }
    }
  };
  revocations.onRevoked(closeEnded);
  onEnforced(closeEnded);

  function track(socket: Duplex, session: SessionClaims) {
    if (socket.destroyed) {
      return;
    }
    open.set(socket, session);
    const expiry = setTimeout(
      closeEnded,
      Math.min((session.exp - now()) * 1000, MAX_TIMEOUT_MS),
    );
    expiry.unref();
    socket.once('close', () => {
      clearTimeout(expiry);
      open.delete(socket);
    });
  }

  return webSocketHandler => ({
    ...webSocketHandler,
    async handler(context) {
      const { credentials, socket } = context;
      if (auth.isPrincipal(credentials, 'user')) {
        const session = await sessionOf(auth, credentials);
        if (isEnforced() && (!session || revocations.isRevoked(session))) {
          refuse(socket, '401 Unauthorized');
          return;
        }
        if (isEnforced() && !revocations.isLoaded) {
          refuse(socket, '503 Service Unavailable');
          return;
        }
        if (session) {
          track(socket, session);
        }
      }
      await webSocketHandler.handler(context);
    },
  });
}

/** The limited token of a user's credentials has the claims of the session, whatever token they came from. */
async function sessionOf(
  auth: AuthService,
  credentials: BackstageCredentials,
): Promise<SessionClaims | undefined> {
  const { token } = await auth.getLimitedUserToken(
    credentials as Parameters<AuthService['getLimitedUserToken']>[0],
  );
  return sessionClaimsOf(decodeToken(token) ?? {});
}

function refuse(socket: Duplex, status: string) {
  socket.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
    () => socket.destroy(),
  );
}
