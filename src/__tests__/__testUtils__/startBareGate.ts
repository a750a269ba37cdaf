import express, { ErrorRequestHandler, Request, RequestHandler } from 'express';
import { tokenOf } from '../../gate/read/token';
import { createGate } from '../../gate/createGate';
import { SessionSockets } from '../../gate/sessions/SessionSockets';
import { createGateServices } from './createGateServices';
import { rawRequest } from './rawRequest';
import { serve } from './serve';

export { ISSUER } from './createGateServices';

const STATUS: Record<string, number> = {
  InputError: 400,
  AuthenticationError: 401,
  NotAllowedError: 403,
  ServiceUnavailableError: 503,
};

/** The gate alone, between a socket and a handler, with services that return the test's values. */
export type BareGate = Awaited<ReturnType<typeof startBareGate>>;

/** @param options.before - middleware in front of the gate */
export async function startBareGate(
  options: Parameters<typeof createGateServices>[0] & {
    before?: RequestHandler;
  } = {},
) {
  const gate = createGateServices(options);
  const { revocations, services } = gate;
  services.sockets = new SessionSockets({
    revocations,
    source: {
      get current() {
        return services.source.current;
      },
      onEnforced: () => {},
      onReload: () => {},
    },
  });
  Object.assign(services, options.replaced);
  /** The calls of `guardServerOf` for a request: `false` while the gate decides, then whether the request goes on. */
  const guarded: boolean[] = [];
  const handler = createGate(services, {
    guardServerOf: (_req, goesOn) => guarded.push(goesOn),
  });
  /** The requests that the gate passed. */
  const handled: (Pick<Request, 'method' | 'headers' | 'rawHeaders'> & {
    user?: unknown;
    /** The token that `httpAuth` reads. */
    token: string | undefined;
  })[] = [];

  const answerError: ErrorRequestHandler = (error, _req, res, _next) => {
    if (res.headersSent) {
      res.end(error.message);
    } else {
      res.status(STATUS[error.name] ?? 500).end(error.message);
    }
  };
  const app = express();
  if (options.before) {
    app.use(options.before);
  }
  app.use('/api/:gatedPluginId', handler);
  app.use((req, res) => {
    const { method, headers, rawHeaders } = req;
    const { user } = req as { user?: unknown };
    const token = tokenOf(req);
    handled.push({ method, headers, rawHeaders, token, user });
    res.end('handled');
  });
  app.use(answerError);
  const { port, stop } = await serve(app);
  await gate.loadRevocations();

  return Object.assign(gate, {
    guarded,
    handled,
    handler,
    send: (method: string, target: string, ...headerLines: string[]) =>
      rawRequest(port, target, { method, headerLines }),
    stop() {
      revocations.stop();
      stop();
    },
  });
}
