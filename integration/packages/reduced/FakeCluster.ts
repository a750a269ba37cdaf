import { createServer, IncomingMessage } from 'node:http';
import type { JsonObject } from '@backstage/types';
import { WebSocket, WebSocketServer } from 'ws';
import { listen } from '../../http';

/** The first byte of a message of an exec, by the protocol of Kubernetes: what the message belongs to. */
export const STDIN = 0;
const STDOUT = 1;

/** The token of the cluster, which the Kubernetes plugin sends. */
export const CLUSTER_TOKEN = 'token-of-the-cluster';

/** A server that answers in place of Kubernetes: each exec writes its input in upper case. */
export class FakeCluster {
  readonly #arrived: IncomingMessage[] = [];
  readonly #execs = new WebSocketServer({ noServer: true });
  readonly #server = createServer((req, res) => {
    this.#arrived.push(req);
    res.writeHead(400).end('Upgrade request required');
  });

  constructor() {
    this.#execs.on('connection', socket =>
      socket.on('message', (message: Buffer) => {
        const text = message.toString('utf8', 1).toUpperCase();
        socket.send(Buffer.from([STDOUT, ...Buffer.from(text)]));
      }),
    );
    this.#server.on('upgrade', (req, socket, head) => {
      this.#arrived.push(req);
      this.#execs.handleUpgrade(req, socket, head, exec =>
        this.#execs.emit('connection', exec),
      );
    });
  }

  /** Starts the server, and returns the configuration of the Kubernetes plugin for it. */
  async start(name: string): Promise<JsonObject> {
    const { port } = await listen(this.#server);
    const cluster = {
      name,
      url: `http://127.0.0.1:${port}`,
      authProvider: 'serviceAccount',
      serviceAccountToken: CLUSTER_TOKEN,
    };
    return {
      serviceLocatorMethod: { type: 'multiTenant' },
      clusterLocatorMethods: [{ type: 'config', clusters: [cluster] }],
    };
  }

  /** The execs that are not closed. */
  get execs(): WebSocket[] {
    return [...this.#execs.clients];
  }

  /** Returns the method, path and credentials of what has arrived since the last call. */
  takeArrived(): string[] {
    return this.#arrived
      .splice(0)
      .map(({ headers: { authorization, cookie }, method, url }) =>
        [method, url?.split('?')[0], authorization, cookie]
          .filter(Boolean)
          .join(' '),
      );
  }
}
