import type { Duplex } from 'node:stream';
import { once } from 'lodash';
import type { DecidedRequest } from '../../gate/GateObserver';
import type { Policy } from '../../gate/rules/Policy';

/** The outcome of a request that report-only let pass. {@link kindOf} has the status of each. */
export type AnswerKind =
  'worked' | 'redirected' | 'refused' | 'not-found' | 'failed' | 'aborted';

const REDIRECTS = [300, 301, 302, 303, 307, 308];

const KIND_OF_STATUS: Record<number, AnswerKind> = {
  0: 'aborted',
  101: 'worked',
  304: 'worked',
  401: 'refused',
  403: 'refused',
  404: 'not-found',
};

// Backstage signs in below `/api/auth`. The other names are those of proxies and products, as whole words after a slash.
const SIGN_IN_PATH =
  /^\/api\/auth\/|\/((sign|log)[-_]?[io]n|oauth2?|saml2?|sso)(?![a-z0-9])/i;

/** Calls back once, when the answer begins or the connection has ended without one. */
export function watchAnswer(
  { policy, res, socket }: DecidedRequest,
  onAnswer: (kind: AnswerKind, status: number) => void,
): void {
  const end = (status: number, location?: unknown) => {
    try {
      onAnswer(kindOf(status, mayLeadToSignIn(location, policy)), status);
    } catch {
      // An exception in a listener would end the process.
    }
  };
  if (res) {
    const { writeHead } = res;
    const onClose = () => end(0);
    // Node calls it too, for a handler that does not. A stream may last until after the record was stored for the last time.
    res.writeHead = (...args: unknown[]) => {
      const result = Reflect.apply(writeHead, res, args);
      res.off('close', onClose);
      end(res.statusCode, res.getHeader('location'));
      return result;
    };
    res.once('close', onClose);
  } else if (socket) {
    watchFirstWrite(socket, end);
  }
}

/** Returns what came of a request. The status is 0 if the connection has ended without an answer. */
function kindOf(status: number, isSignIn: boolean): AnswerKind {
  if (status >= 200 && status < 300) {
    return 'worked';
  }
  if (REDIRECTS.includes(status)) {
    return isSignIn ? 'redirected' : 'worked';
  }
  return KIND_OF_STATUS[status] ?? 'failed';
}

/**
 * Returns whether a redirect may begin a sign-in. Every other origin may be an identity provider's, which the gate can't know, so
 * that only a redirect to an origin of this deployment shows that the client got what it had asked for.
 */
function mayLeadToSignIn(location: unknown, policy?: Policy): boolean {
  const { backendOrigin, trustedOrigins = [] } = policy?.config ?? {};
  // A handler may have set the header in a way that nobody can read later.
  if (typeof location !== 'string' || !URL.canParse(location, backendOrigin)) {
    return true;
  }
  const { origin, pathname } = new URL(location, backendOrigin);
  return !trustedOrigins.includes(origin) || SIGN_IN_PATH.test(pathname);
}

/** Calls back with the status that begins the first bytes on a socket, or with 0 if there is none. */
function watchFirstWrite(socket: Duplex, onStatus: (status: number) => void) {
  const { end, write } = socket;
  // The methods stay, since a listener may have replaced them meanwhile.
  const read = once((written: unknown) => {
    const [, status] = /^HTTP\/1\.[01] (\d{3})/.exec(String(written)) ?? [];
    onStatus(Number(status ?? 0));
  });
  const watched =
    (method: (...args: any[]) => unknown) =>
    (...args: unknown[]) => {
      read(args[0]);
      return Reflect.apply(method, socket, args);
    };
  Object.assign(socket, { end: watched(end), write: watched(write) });
  socket.once('close', read);
}
