import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { isError } from '@backstage/errors';
import {
  answerUpgrade,
  dispatchUpgrade,
  UpgradeListener,
} from './dispatchUpgrade';
import { conclude, decide } from '../decide';
import type { GateServices } from '../GateServices';
import type { Judgement } from '../judge/judge';
import { UpgradeRequest } from '../read/GateRequest';
import { MountedRequest, readUpgradeTarget } from '../read/mountedRequest';
import { Refusal, refuseUndecided } from '../Refusal';

const UPGRADE = 'upgrade';

/** An upgrade that goes on. One that is refused goes on in report-only alone. */
export interface AdmittedUpgrade {
  request: UpgradeRequest;
  judgement: Judgement;
}

/**
 * The gate for upgrades: in front of all listeners for `upgrade` at the servers of a backend, as upgrades do not pass Express.
 *
 * `decide` reads the tokens of an `UpgradeRequest` (`readTokens`), verifies them (`verifyTokens`) and judges (`judge`). `conclude` records the decision and changes the headers (`forward`). This class answers, or passes the
 * upgrade to the listeners. Backstage's own listener calls the handler that a plugin has declared, through `createWebSocketGate`.
 * `SessionSockets` closes the socket when its session ends.
 */
export class UpgradeGate {
  /** Per server: the listeners that existed before plugin code ran; `early` is missing until then. */
  readonly #guarded = new WeakMap<Server, { early?: Set<unknown> }>();
  readonly #waiting = new Set<Duplex>();
  readonly #admissions = new WeakMap<IncomingMessage, AdmittedUpgrade>();
  #isStopped = false;

  constructor(private readonly services: GateServices) {}

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

  /** Returns false for an upgrade that goes to all listeners without the gate. */
  #intercepts(
    server: Server,
    req: IncomingMessage,
    socket: Duplex,
    head: Buffer,
  ): boolean {
    const target = readUpgradeTarget(req.url ?? '');
    if (target) {
      this.#handle(server, target, req, socket, head);
      return true;
    }
    const early = this.#guarded.get(server)?.early;
    if (!early || !this.services.source.current.isEnforced) {
      return false;
    }
    const all = listenersOf(server);
    const hearing = all.filter(each => early.has(each));
    if (hearing.length === all.length) {
      return false;
    }
    socket.on('error', () => {});
    if (hearing.length === 0) {
      answerUpgrade(socket, 404);
    }
    for (const listener of hearing) {
      Reflect.apply(listener, server, [req, socket, head]);
    }
    return true;
  }

  async #handle(
    server: Server,
    target: MountedRequest,
    req: IncomingMessage,
    socket: Duplex,
    head: Buffer,
  ): Promise<void> {
    // Without a listener, an error of the socket would end the process.
    socket.on('error', () => {});
    if (!this.services.plugins.haveUpgrades) {
      answerUpgrade(socket, 404);
      return;
    }
    if (this.#isStopped) {
      this.#refuse(socket, 'starting');
      return;
    }
    this.#waiting.add(socket);
    try {
      const goesOn = await this.admit(req, socket, target);
      if (this.#waiting.delete(socket) && goesOn && !socket.destroyed) {
        this.#keepEarly(server);
        await dispatchUpgrade(server, listenersOf(server), req, socket, head);
      }
    } catch (error) {
      this.#waiting.delete(socket);
      const errorType = isError(error) ? error.name : typeof error;
      this.services.logger.error(
        'API gate: a listener for upgrades has failed',
        { errorType },
      );
      socket.destroy();
    }
  }

  /** Returns `undefined` for an upgrade that was refused: it has its answer, and its socket closes. Never rejects. */
  async admit(
    req: IncomingMessage,
    socket: Duplex,
    target: MountedRequest,
  ): Promise<AdmittedUpgrade | undefined> {
    this.#admissions.delete(req);
    try {
      const request = new UpgradeRequest(req, socket, target, this.services);
      return this.#carryOut(request, await decide(request));
    } catch (error) {
      // An upgrade goes on only if the decision is to pass.
      this.#refuse(socket, 'failed', error);
      return undefined;
    }
  }

  /** Carries out a judgement about an upgrade at the server: keeps it, or answers it. */
  #carryOut(
    request: UpgradeRequest,
    judgement: Judgement,
  ): AdmittedUpgrade | undefined {
    const { req, socket } = request;
    if (!conclude(request, judgement)) {
      const refusal = judgement.refusal!;
      const headers = refusal.headersFor(request.decisionId);
      answerUpgrade(socket, refusal.status, headers);
      return undefined;
    }
    for (const end of judgement.socketEnds) {
      this.services.sockets.track(socket, end);
    }
    const admitted = { request, judgement };
    this.#admissions.set(req, admitted);
    return admitted;
  }

  /** Returns what {@link UpgradeGate.admit} has returned for a request. */
  admitted(req: IncomingMessage): AdmittedUpgrade | undefined {
    return this.#admissions.get(req);
  }

  /**
   * Guards the server of a request that the gate decides about, if it is not guarded yet. If the request goes on to its handler, the
   * listeners are kept from before requests ran code of plugins.
   *
   * Every listener that is added from then on belongs to a plugin, such as those of http-proxy-middleware and of older `signals`.
   * Some of them take paths outside `/api` too, without a credential. They get the upgrades below `/api` only.
   */
  guardServerOf(req: IncomingMessage, goesOn: boolean): void {
    const { server } = req.socket as { server?: Server };
    if (!server || this.#guarded.get(server)?.early) {
      return;
    }
    this.guard(server);
    const { decisions } = this.services;
    if (goesOn && decisions.get(req)?.reason !== 'built-in-public') {
      this.#keepEarly(server);
    }
  }

  #keepEarly(server: Server): void {
    const guarded = this.#guarded.get(server);
    if (guarded && !guarded.early) {
      guarded.early = new Set(server.rawListeners(UPGRADE));
    }
  }

  /** Refuses the upgrades that the gate is deciding about, and all later ones. */
  stop(): void {
    this.#isStopped = true;
    for (const socket of this.#waiting) {
      this.#refuse(socket, 'starting');
    }
    this.#waiting.clear();
  }

  /** Refuses an upgrade without a decision. */
  #refuse(
    socket: Duplex,
    reason: 'failed' | 'starting',
    error?: unknown,
  ): void {
    const refusal = Refusal.because(reason);
    const id = refuseUndecided(refusal, this.services.logger, error);
    answerUpgrade(socket, refusal.status, refusal.headersFor(id));
  }
}

function listenersOf(server: Server): UpgradeListener[] {
  return server.rawListeners(UPGRADE) as UpgradeListener[];
}
