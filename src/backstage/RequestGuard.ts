import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { LoggerService } from '@backstage/backend-plugin-api';
import type { RequestHandler } from 'express';
import { readUpgradeTarget } from '../gate/read/mountedRequest';
import { Refusal, refuseUndecided } from '../gate/Refusal';

/** The events by which the listeners of a server get a request. */
const REQUEST_EVENTS = ['request', 'checkContinue', 'checkExpectation'];

/** The error by which a router of Express 4 ends, and calls no handler for errors. */
const LEAVES_ROUTER = 'router';

/** How deep routers may be nested in an app. */
const MAX_DEPTH = 5;

/**
 * Hands the requests below `/api` to the app alone, at each server of the backend. The gate is in the app, so whatever else listens there
 * would answer them without a decision. Requests outside of `/api` go to all listeners.
 */
export class RequestGuard {
  readonly #guarded = new WeakSet<Server>();
  readonly #apps = new WeakSet<Function>();
  readonly #warned = new Set<string>();

  /** @param mount - the gate in Express, which the app leads to */
  constructor(
    private readonly mount: Function,
    private readonly logger: LoggerService,
  ) {}

  /** Returns whether a listener is the app, or an app that holds it. */
  readonly isApp = (listener: Function): boolean => {
    if (!this.#apps.has(listener) && leadsTo(listener, this.mount)) {
      this.#apps.add(listener);
    }
    return this.#apps.has(listener);
  };

  /** Guards the server of a request that has reached the gate in Express. A request that is injected has none. */
  guardServerOf(req: Parameters<RequestHandler>[0]): void {
    if (req.app) {
      this.#apps.add(req.app);
    }
    const { server } = req.socket as { server?: Server };
    if (server) {
      this.guard(server);
    }
  }

  /** Guards a server, with its present and future listeners. */
  guard(server: Server): void {
    if (this.#guarded.has(server)) {
      return;
    }
    this.#guarded.add(server);
    const { emit } = server;
    let behind: Function | undefined;
    const front = new EventEmitter().on(
      'request',
      (req: IncomingMessage, res: ServerResponse) => {
        const find = () => server.listeners('request').find(this.isApp);
        if (!find() && !behind) {
          this.#lookBehind(server, app => {
            behind = app;
          });
        }
        const app = find() ?? behind;
        if (app) {
          Reflect.apply(app, server, [req, res]);
        } else {
          this.#refuse(res);
        }
      },
    );
    server.emit = (event: string, ...args: unknown[]) => {
      const [req, res] = args as [IncomingMessage, ServerResponse];
      if (
        !REQUEST_EVENTS.includes(event) ||
        server.listeners(event).every(this.isApp) ||
        !readUpgradeTarget(req.url ?? '')
      ) {
        return Reflect.apply(emit, server, [event, ...args]);
      }
      this.#warn(event);
      if (event === 'checkContinue') {
        res.writeContinue();
      }
      // OpenTelemetry and others begin the span of a request in this method.
      const { emit: traced } = Object.getPrototypeOf(server);
      return Reflect.apply(traced, front, ['request', req, res]);
    };
  }

  /**
   * Finds the app that the listeners of a server hand requests to, as that of socket.io does, by a request of the gate's own with a
   * path that nobody serves. Calls back at once, or later if a listener waits for something before.
   */
  #lookBehind(server: Server, onApp: (app: Function) => void): void {
    for (const listener of server.listeners('request')) {
      const url = `/${randomUUID()}`;
      const req: IncomingMessage & { app?: Function } = Object.assign(
        new IncomingMessage(new Socket()),
        { method: 'GET', url },
      );
      const res = new ServerResponse(req);
      Object.defineProperty(res, 'locals', {
        set: () => {},
        // Express reads this once `req.app` is there. The app ends by this error, before it has called any handler.
        get: () => {
          if (!req.app || !this.isApp(req.app)) {
            return {};
          }
          onApp(req.app);
          throw LEAVES_ROUTER;
        },
      });
      try {
        Reflect.apply(listener, server, [req, res]);
      } catch {
        // No app is found then, and the request is refused.
      }
    }
  }

  #refuse(res: ServerResponse): void {
    const refusal = Refusal.because('starting');
    const id = refuseUndecided(refusal, this.logger);
    res.writeHead(refusal.status, refusal.headersFor(id)).end();
  }

  #warn(event: string): void {
    if (!this.#warned.has(event)) {
      this.#warned.add(event);
      this.logger.warn(
        `API gate: a listener for '${event}' beside the app of this backend gets nothing below /api, since the gate is in the app. Have it serve paths outside of /api, as socket.io does by default, or serve its paths by a plugin's httpRouter`,
      );
    }
  }
}

/** Returns whether a listener is the mount, or an Express app or router that holds it. */
function leadsTo(
  listener: unknown,
  mount: Function,
  depth = MAX_DEPTH,
): boolean {
  if (listener === mount || depth === 0 || typeof listener !== 'function') {
    return listener === mount;
  }
  const { stack } = (listener as any)._router ?? listener;
  return (
    Array.isArray(stack) &&
    stack.some(({ handle }) => leadsTo(handle, mount, depth - 1))
  );
}
