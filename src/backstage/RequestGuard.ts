import { EventEmitter } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { LoggerService } from '@backstage/backend-plugin-api';
import type { Express } from 'express';
import { Refusal, refuseUndecided } from '../gate/Refusal';

/** The events by which the listeners of a server get a request. */
const REQUEST_EVENTS = ['request', 'checkContinue', 'checkExpectation'];

/** The properties that Express sets at a request, and does not read anew once they are there. */
const SET_BY_EXPRESS = ['baseUrl', 'originalUrl', 'params', 'query', 'res'];

/**
 * Has the gate decide about requests before the listeners of a server get them, wherever anybody but the app listens.
 *
 * Such a listener may answer in place of the app. socket.io takes the app's place as the server's listener, answers the requests of
 * its own path, and calls the app with all others.
 */
export class RequestGuard {
  readonly #guarded = new WeakSet<Server>();
  readonly #apps = new WeakSet<Function>();
  #front: Express | undefined;

  constructor(
    private readonly options: {
      logger: LoggerService;
      /** Whether a listener is the app, or an app that holds it: the gate is in front of all that it does below `/api`. */
      isApp(listener: Function): boolean;
      /** Called for the first request that needs the front, since its limit of requests may open a connection to Redis. */
      createFront(): Express;
    },
  ) {}

  /** Guards a server by its first request at the latest, as {@link guard} does. */
  guardServerOf({ socket }: IncomingMessage): void {
    const { server } = socket as { server?: Server };
    // A request that is injected has no server.
    if (server) {
      this.guard(server);
    }
  }

  /** Puts the gate in front of the listeners of a server, present and future ones. The app alone gets its requests as before. */
  guard(server: Server): void {
    if (this.#guarded.has(server)) {
      return;
    }
    this.#guarded.add(server);
    const { emit } = server;
    const front = new EventEmitter();
    for (const event of REQUEST_EVENTS) {
      front.on(event, (req: IncomingMessage, res: ServerResponse) =>
        this.#decide(req, res, () =>
          Reflect.apply(EventEmitter.prototype.emit, server, [event, req, res]),
        ),
      );
    }
    server.emit = (event: string, ...args: unknown[]) =>
      REQUEST_EVENTS.includes(event) &&
      server.listeners(event).some(listener => !this.#isApp(listener))
        ? // OpenTelemetry and others begin the span of a request in this method, which the decision belongs to.
          Reflect.apply(Object.getPrototypeOf(server).emit, front, [
            event,
            ...args,
          ])
        : Reflect.apply(emit, server, [event, ...args]);
  }

  #isApp(listener: Function): boolean {
    if (!this.#apps.has(listener) && this.options.isApp(listener)) {
      this.#apps.add(listener);
    }
    return this.#apps.has(listener);
  }

  /** Calls back, later, for a request that goes on to the listeners. */
  #decide(req: IncomingMessage, res: ServerResponse, goOn: () => void): void {
    const [ofReq, ofRes] = [req, res].map(each => Object.getPrototypeOf(each));
    const forgetExpress = () => {
      for (const key of SET_BY_EXPRESS) {
        Reflect.deleteProperty(req, key);
      }
    };
    // A handler of Express may emit what it has got.
    forgetExpress();
    try {
      this.#front ??= this.options.createFront();
      this.#front(req as never, res as never, (error?: unknown) => {
        // Listeners expect the objects of Node.
        Object.setPrototypeOf(req, ofReq);
        Object.setPrototypeOf(res, ofRes);
        forgetExpress();
        Reflect.deleteProperty(res, 'locals');
        if (error) {
          res.destroy();
        } else if (!req.socket.destroyed) {
          goOn();
        }
      });
    } catch (error) {
      const refusal = Refusal.because('failed');
      const id = refuseUndecided(refusal, this.options.logger, error);
      res.writeHead(refusal.status, refusal.headersFor(id)).end();
    }
  }
}
