import { ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { JsonObject } from '@backstage/types';
import { merge } from 'lodash';
import { freePort } from '../src/__tests__/__testUtils__/freePort';
import type { Variant } from './variants';

export type ServerRequest =
  | { kind: 'usage' }
  | { kind: 'collect garbage' }
  | { kind: 'revoke'; sessions: number; last: Session }
  | { kind: 'age revocations' };

/** The claims that identify a session. */
export interface Session {
  sub: string;
  iat: number;
  exp: number;
}

export interface Started {
  kind: 'started';
  milliseconds: number;
  cpuMilliseconds: number;
  /** A token of the plugin `caller` for the plugin `trivial`. */
  serviceToken: string;
}

export interface Usage {
  kind: 'usage';
  /** CPU time of all threads: signatures are verified outside the main thread. */
  cpuMicros: number;
  memoryBytes: number;
  outboundRequests: number;
}

export type ServerReply = Started | Usage | { kind: 'failed'; message: string };

/** A server in its own process, and on its own core if the machine allows that. */
export class ServerProcess {
  static readonly #running = new Set<ChildProcess>();

  /** Ends all servers with this process, however it ends, and then runs a callback. */
  static endWithProcess(onEnd: () => void): void {
    process.on('exit', () => {
      this.#running.forEach(child => child.kill('SIGKILL'));
      onEnd();
    });
    process.on('SIGINT', () => process.exit(130));
    process.on('SIGTERM', () => process.exit(143));
  }

  /**
   * Resolves once the server answers requests.
   *
   * @param script - the compiled `server.ts`. Default: that of this tree
   */
  static async start(
    variant: Variant,
    keyConfig: JsonObject,
    script = path.join(__dirname, 'server.js'),
  ): Promise<ServerProcess> {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const config = merge(
      {
        app: { baseUrl: 'http://127.0.0.1:3000' },
        backend: {
          baseUrl: url,
          listen: { port, host: '127.0.0.1' },
          database: { client: 'better-sqlite3', connection: ':memory:' },
        },
      },
      keyConfig,
      variant.config,
    );
    const core = process.env.BENCH_SERVER_CORE;
    const node = [
      process.execPath,
      '--expose-gc',
      // A server idles between its turns. V8 would then shrink its heap, and collect repeatedly while it grows again: 200 ms
      // within the next turn, most for the servers that idle the longest. A busy server has none of that.
      '--no-memory-reducer',
      '--heap-growing-percent=300',
      script,
    ];
    // The configuration may have 10,000 rules, which are too long for the environment.
    const settings = path.join(tmpdir(), `api-gate-bench-${port}.json`);
    writeFileSync(settings, JSON.stringify({ variant, config }));
    const [command, ...args] =
      core === undefined ? node : ['taskset', '-c', core, ...node];
    const child = spawn(command, args, {
      env: {
        ...process.env,
        BENCH_SERVER: settings,
      },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#running.add(child);
    child.once('exit', () => this.#running.delete(child));
    const reply = await nextReply(child);
    if (reply.kind !== 'started') {
      throw new Error(
        reply.kind === 'failed' ? reply.message : `Unexpected ${reply.kind}`,
      );
    }
    return new ServerProcess(child, url, reply);
  }

  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
    readonly started: Started,
  ) {}

  get serviceToken(): string {
    return this.started.serviceToken;
  }

  /** Returns the usage, after the request was carried out. */
  async ask(request: ServerRequest): Promise<Usage> {
    const reply = nextReply(this.child);
    this.child.send(request);
    return (await reply) as Usage;
  }

  async stop(): Promise<void> {
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
  }
}

function nextReply(child: ChildProcess): Promise<ServerReply> {
  return new Promise((resolve, reject) => {
    const onExit = () => reject(new Error('The server has ended'));
    child.once('exit', onExit);
    child.once('message', reply => {
      child.off('exit', onExit);
      resolve(reply as ServerReply);
    });
  });
}
