import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { isError } from '@backstage/errors';
import {
  answerUpgrade,
  dispatchUpgrade,
  UpgradeListener,
} from './dispatchUpgrade';
import { MountedRequest, readUpgradeTarget } from '../read/mountedRequest';
import { Refusal, refuseUndecided } from '../Refusal';
import type { UpgradeGate } from './UpgradeGate';
import type { GateServices } from '../GateServices';

const UPGRADE = 'upgrade';

/** Puts the gate in front of all listeners for `upgrade` at the servers of a backend. */
export class UpgradeGuard {
  /** Per server: the listeners that existed before plugin code ran; `own` is missing until then. */
  readonly #guarded = new WeakMap<Server, { own?: Set<unknown> }>();
  readonly #waiting = new Set<Duplex>();
  #isStopped = false;

  constructor(
    private readonly options: {
      upgradeGate: Pick<UpgradeGate, 'admit'>;
      /** Returns the refusal to carry out in report-only for an upgrade that the gate does not decide about. */
      findOrder(
        req: IncomingMessage,
        socket: Duplex,
      ): Promise<Refusal | undefined>;
      services: Pick<
        GateServices,
        'decisions' | 'logger' | 'plugins' | 'source'
      >;
    },
  ) {}

  /**
   * Puts the gate in front of all listeners for `upgrade` at a server, present and future ones.
   *
   * This replaces `emit` on the server, because a listener of the gate's own could not keep the event from the others, and Node
   * treats upgrade requests differently as soon as a server has a listener.
   */
  guard(server: Server): void {
    if (this.#guarded.has(server)) {
      return;
    }
    this.#guarded.set(server, {});
    const { emit } = server;
    server.emit = (event: string, ...args: unknown[]) =>
      event === UPGRADE &&
      this.#intercepts(server, ...(args as [any, any, any]))
        ? true
        : Reflect.apply(emit, server, [event, ...args]);
  }

  /**
   * Guards the server of a request that the gate decides about, if it is not guarded yet. If the request goes on to its handler, the
   * listeners are kept from before requests ran code of plugins.
   *
   * Every listener that is added from then on belongs to a plugin, such as those of http-proxy-middleware and of older `signals`.
   * Some of them take paths outside `/api` too, without a credential. They get the upgrades below `/api` only.
   */
  decided(req: IncomingMessage, goesOn: boolean): void {
    const { server } = req.socket as { server?: Server };
    if (!server || this.#guarded.get(server)?.own) {
      return;
    }
    this.guard(server);
    const { decisions } = this.options.services;
    if (goesOn && decisions.get(req)?.reason !== 'built-in-public') {
      this.#keepOwn(server);
    }
  }

  /** Refuses the upgrades that the gate is deciding about, and all later ones. */
  stop(): void {
    this.#isStopped = true;
    for (const socket of this.#waiting) {
      this.#refuseStopped(socket);
    }
    this.#waiting.clear();
  }

  #keepOwn(server: Server): void {
    const guarded = this.#guarded.get(server);
    if (guarded && !guarded.own) {
      guarded.own = new Set(server.rawListeners(UPGRADE));
    }
  }

  /** Returns false for an upgrade that goes to all listeners without the gate. */
  #intercepts(
    server: Server,
    req: IncomingMessage,
    socket: Duplex,
    head: Buffer,
  ): boolean {
    const target = readUpgradeTarget(req.url ?? '');
    if (target) {
      this.#admit(server, target, req, socket, head);
      return true;
    }
    const all = listenersOf(server);
    const own = this.#guarded.get(server)?.own;
    const hearing = own ? all.filter(listener => own.has(listener)) : all;
    if (hearing.length === all.length) {
      return false;
    }
    socket.on('error', ignoreError);
    const dispatch = (listeners: UpgradeListener[]) => {
      if (listeners.length === 0) {
        answerUpgrade(socket, 404);
      }
      for (const listener of listeners) {
        Reflect.apply(listener, server, [req, socket, head]);
      }
    };
    const { findOrder, services } = this.options;
    if (services.source.current.isEnforced) {
      dispatch(hearing);
    } else {
      findOrder(req, socket)
        .then(order => order !== undefined)
        .catch(() => true)
        .then(isOrdered => {
          if (!socket.destroyed) {
            dispatch(isOrdered ? hearing : all);
          }
        });
    }
    return true;
  }

  async #admit(
    server: Server,
    target: MountedRequest,
    req: IncomingMessage,
    socket: Duplex,
    head: Buffer,
  ): Promise<void> {
    // Without a listener, an error of the socket would end the process.
    socket.on('error', ignoreError);
    if (this.#isStopped) {
      this.#refuseStopped(socket);
      return;
    }
    this.#waiting.add(socket);
    try {
      const { services, upgradeGate } = this.options;
      const admitted =
        !services.plugins.guardsUpgrades(target) ||
        (await upgradeGate.admit(req, socket, target));
      if (this.#waiting.delete(socket) && admitted && !socket.destroyed) {
        this.#keepOwn(server);
        await dispatchUpgrade(server, listenersOf(server), req, socket, head);
      }
    } catch (error) {
      this.#waiting.delete(socket);
      const errorType = isError(error) ? error.name : typeof error;
      this.options.services.logger.error(
        'API gate: a listener for upgrades has failed',
        { errorType },
      );
      socket.destroy();
    }
  }

  #refuseStopped(socket: Duplex) {
    const refusal = Refusal.because('starting');
    const id = refuseUndecided(refusal, this.options.services.logger);
    answerUpgrade(socket, refusal.status, refusal.headersFor(id));
  }
}

function listenersOf(server: Server): UpgradeListener[] {
  return server.rawListeners(UPGRADE) as UpgradeListener[];
}

function ignoreError() {}
