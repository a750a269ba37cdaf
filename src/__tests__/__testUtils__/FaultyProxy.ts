import { AddressInfo, createServer, Server, Socket } from 'node:net';

const LATENCY_MS = 6_000;

/**
 * What the proxy does. `slow` delays what the server sends, and `silent` forwards nothing in either direction. `deaf` forwards what
 * the client sends, but no answer, and the end of no connection.
 */
export type Mode = 'through' | 'slow' | 'silent' | 'deaf';

/** A TCP proxy in front of PostgreSQL. */
export class FaultyProxy {
  #mode: Mode = 'through';
  #latencyMs = LATENCY_MS;
  readonly #sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly target: { host: string; port: number },
  ) {
    server.on('connection', socket => this.#forward(socket));
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  static async start(target: { host: string; port: number }) {
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>(resolve => {
      server.listen(0, '127.0.0.1', resolve);
    });
    return new FaultyProxy(server, target);
  }

  stop(): void {
    this.set('through');
    this.server.close();
  }

  set(mode: Mode, latencyMs = LATENCY_MS): void {
    this.#mode = mode;
    this.#latencyMs = latencyMs;
    if (mode === 'through') {
      // A silent proxy loses the bytes that it has received, and its end closes the connections.
      this.#sockets.forEach(socket => socket.destroy());
    }
  }

  #forward(client: Socket) {
    const server = new Socket({ allowHalfOpen: true });
    server.connect(this.target.port, this.target.host);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ]) {
      const isAnswer = from === server;
      this.#sockets.add(from);
      from.on('error', () => {});
      from.on('data', bytes => {
        if (this.#mode === 'deaf' && !isAnswer) {
          to.write(bytes);
        } else {
          this.#pass(isAnswer, () => to.write(bytes));
        }
      });
      from.on('end', () => this.#pass(isAnswer, () => to.end()));
      from.on('close', () => {
        this.#sockets.delete(from);
        this.#pass(isAnswer, () => to.destroy());
      });
    }
  }

  #pass(isAnswer: boolean, act: () => void) {
    if (this.#mode === 'through' || (this.#mode === 'slow' && !isAnswer)) {
      act();
    } else if (this.#mode === 'slow') {
      setTimeout(act, this.#latencyMs);
    }
  }
}
