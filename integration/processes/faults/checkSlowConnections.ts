import { connect, Socket } from 'node:net';
import type { BackendProcess } from '../../BackendProcess';
import { send, sleep, until } from '../../http';
import { expectEqual, Report, spread } from '../../Report';
import type { World } from './World';

const CONNECTIONS = 10_000;
/** The number of connections that begin at the same time: the kernel's queue holds 511 at most. */
const AT_A_TIME = 250;
const ANSWER_WITHIN_MS = 20_000;
const DRIBBLE_MS = 1_000;
const HELD_MS = 3_000;
const PROBES = 50;

const KB = 1024;
const MB = 1024 * KB;
// The limits are about twice the cost of a connection with a request, with and without the gate.
const MAX_HEAP_EACH = 24 * KB;
const MAX_RSS_EACH = 48 * KB;
// Compiled code may be collected and compiled again.
const MAX_LEFT_OVER = 5 * MB;
const RELEASED_WITHIN_MS = 15_000;

const POURED_BY = 20;
const POURED_BYTES = 5 * MB;

interface Memory {
  rss: number;
  heap: number;
}

/** A slow client: its first bytes, its later bytes, and whether it gets an answer. */
interface Attack {
  name: string;
  first: string;
  dribble: string;
  isAnswered: boolean;
}

const HEADERS = 'POST /api/hello/x HTTP/1.1\r\nHost: localhost\r\n';

const ATTACKS: Attack[] = [
  {
    // Only Node has seen these connections: it closes them after a minute.
    name: 'headers that never end',
    first: HEADERS,
    dribble: 'X: y\r\n',
    isAnswered: false,
  },
  {
    name: '[P13] a body of a length that never comes',
    first: `${HEADERS}Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n`,
    dribble: 'x',
    isAnswered: true,
  },
  {
    name: 'a body in chunks that never ends',
    first: `${HEADERS}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
    dribble: '1\r\nx\r\n',
    isAnswered: true,
  },
];

class SlowConnection {
  readonly #socket: Socket;
  answer = '';
  isClosed = false;

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1');
    this.#socket.on('data', chunk => {
      this.answer += chunk.toString('latin1');
    });
    this.#socket.on('error', () => {});
    this.#socket.once('close', () => {
      this.isClosed = true;
    });
  }

  get status(): string {
    return this.answer.match(/^HTTP\/1\.1 (\d{3}) /)?.[1] ?? 'none';
  }

  write(bytes: string): Promise<void> {
    return new Promise(resolve => {
      this.#socket.write(bytes, () => resolve());
    });
  }

  async answered(): Promise<void> {
    const isThere = async () => this.isClosed || this.answer !== '';
    await until('an answer', ANSWER_WITHIN_MS, isThere);
  }

  destroy() {
    // Reset the connection, since its port would otherwise stay taken for a minute.
    this.#socket.resetAndDestroy();
  }
}

/** Connections that are slow until they are closed. */
class SlowConnections {
  readonly all: SlowConnection[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(
    private readonly port: number,
    private readonly attack: Attack,
  ) {
    this.#timer = setInterval(() => {
      this.all.forEach(connection => connection.write(attack.dribble));
    }, DRIBBLE_MS);
  }

  async open(count: number): Promise<void> {
    while (this.all.length < count) {
      const size = Math.min(AT_A_TIME, count - this.all.length);
      const more = Array.from(
        { length: size },
        () => new SlowConnection(this.port),
      );
      await Promise.all(
        more.map(async connection => {
          await connection.write(this.attack.first);
          // No byte of the body has arrived at that time.
          await (this.attack.isAnswered && connection.answered());
        }),
      );
      this.all.push(...more);
    }
  }

  /** The number of connections by status; `none` for connections without an answer. */
  get statuses(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { status } of this.all) {
      counts[status] = (counts[status] ?? 0) + 1;
    }
    return counts;
  }

  get stillOpen(): number {
    return this.all.filter(({ isClosed }) => !isClosed).length;
  }

  close() {
    clearInterval(this.#timer);
    this.all.forEach(connection => connection.destroy());
  }
}

/** Returns the answers that a user and an anonymous visitor get meanwhile. */
async function probe(port: number, token: string): Promise<string> {
  const times: number[] = [];
  for (let i = 0; i < PROBES; i += 1) {
    const startedAt = performance.now();
    const bearer = i % 2 ? token : undefined;
    const { status } = await send(port, { bearer });
    times.push(performance.now() - startedAt);
    expectEqual('status meanwhile', status, bearer ? 200 : 401);
  }
  return spread(times);
}

export async function checkSlowConnections(report: Report, world: World) {
  const backend = await world.createBackend('slow');
  await backend.start();
  const { port } = backend;
  const token = await world.sign({ port, sub: 'user:default/other' });

  // The code is compiled now, and the memory has grown to its usual size.
  for (const attack of ATTACKS) {
    const connections = new SlowConnections(port, attack);
    await connections.open(CONNECTIONS / 10);
    connections.close();
  }
  await probe(port, token);

  for (const attack of ATTACKS) {
    await report.check(
      `${CONNECTIONS} connections with ${attack.name}`,
      async () => {
        const handledBefore = await backend.ask<number>('handled');
        const before = await backend.ask<Memory>('memory');
        const connections = new SlowConnections(port, attack);
        try {
          const startedAt = performance.now();
          await connections.open(CONNECTIONS);
          const openedMs = Math.round(performance.now() - startedAt);
          await sleep(HELD_MS);
          const held = await backend.ask<Memory>('memory');
          const times = await probe(port, token);
          expectEqual('statuses', connections.statuses, {
            [attack.isAnswered ? '401' : 'none']: CONNECTIONS,
          });
          expectEqual('still open', connections.stillOpen, CONNECTIONS);
          connections.close();
          const after = await released(backend, before);
          const handled = await backend.ask<number>('handled');
          expectEqual(
            'handled, besides the probes',
            handled - handledBefore - PROBES / 2,
            0,
          );
          const [heapEach, rssEach] = [
            (held.heap - before.heap) / CONNECTIONS,
            (held.rss - before.rss) / CONNECTIONS,
          ];
          expectAtMost('heap of each', heapEach, MAX_HEAP_EACH);
          expectAtMost('RSS of each', rssEach, MAX_RSS_EACH);
          return [
            `all there after ${openedMs} ms`,
            `others meanwhile: ${times}`,
            `heap ${inMb(before.heap, held.heap, after.heap)}, RSS ${inMb(before.rss, held.rss, after.rss)} before, meanwhile and after`,
          ].join('; ');
        } finally {
          connections.close();
        }
      },
    );
  }

  await report.check(
    'a body that goes on after the refusal is not kept',
    async () => {
      const [, attack] = ATTACKS;
      const before = await backend.ask<Memory>('memory');
      const connections = new SlowConnections(port, {
        ...attack,
        first: attack.first.replace('1000000', String(2 * POURED_BYTES)),
      });
      try {
        await connections.open(POURED_BY);
        await Promise.all(
          connections.all.map(each => each.write('x'.repeat(POURED_BYTES))),
        );
        const after = await released(backend, before);
        expectEqual('statuses', connections.statuses, { 401: POURED_BY });
        expectEqual('still open', connections.stillOpen, POURED_BY);
        return `${(POURED_BY * POURED_BYTES) / MB} MB sent; heap ${inMb(before.heap, after.heap)} before and after`;
      } finally {
        connections.close();
      }
    },
  );
  await backend.kill();
}

/** Returns the memory once that of the connections has been released. */
async function released(
  backend: BackendProcess,
  before: Memory,
): Promise<Memory> {
  let after = before;
  await until('the heap is as before', RELEASED_WITHIN_MS, async () => {
    await sleep(200);
    after = await backend.ask<Memory>('memory');
    return after.heap - before.heap <= MAX_LEFT_OVER;
  });
  return after;
}

function expectAtMost(what: string, bytes: number, most: number) {
  if (bytes > most) {
    throw new Error(`${what}: ${kb(bytes)} KB, more than ${kb(most)} KB`);
  }
}

function kb(bytes: number): number {
  return Math.round(bytes / KB);
}

function inMb(...values: number[]): string {
  return `${values.map(bytes => Math.round(bytes / MB)).join(', ')} MB`;
}
