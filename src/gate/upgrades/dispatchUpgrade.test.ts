import { once } from 'node:events';
import { Duplex, PassThrough } from 'node:stream';
import {
  answerUpgrade,
  dispatchUpgrade,
  UNTOUCHED_MS,
} from './dispatchUpgrade';

const server = {} as never;
const req = {} as never;
const head = Buffer.alloc(0);

/** Returns the answer on the socket after a time, if the socket is still open. */
async function answerAfter(ms: number, ...listeners: any[]) {
  jest.useFakeTimers();
  const socket = new PassThrough();
  socket.on('error', () => {});
  const dispatched = dispatchUpgrade(server, listeners, req, socket, head);
  await jest.advanceTimersByTimeAsync(ms);
  const read = (socket.read() ?? '').toString();
  jest.useRealTimers();
  return { answer: read.split('\r\n')[0], socket, dispatched };
}

const NOT_FOUND = 'HTTP/1.1 404 Not Found';

describe('dispatchUpgrade', () => {
  it('calls each listener as the server would, in order', async () => {
    const calls: unknown[] = [];
    const listener = (name: string) =>
      function record(this: unknown, ...args: unknown[]) {
        calls.push([name, this, ...args]);
      };
    const { socket } = await answerAfter(0, listener('a'), listener('b'));
    expect(calls).toEqual([
      ['a', server, req, socket, head],
      ['b', server, req, socket, head],
    ]);
  });

  it.each([
    ['nobody', []],
    ['a listener that returns', [() => {}]],
    ['listeners that return promises', [async () => {}, async () => 1]],
  ])(
    'answers 404 to an upgrade that %s takes, but not immediately',
    async (_, listeners) => {
      expect((await answerAfter(UNTOUCHED_MS - 1, ...listeners)).answer).toBe(
        '',
      );
      expect((await answerAfter(UNTOUCHED_MS, ...listeners)).answer).toBe(
        NOT_FOUND,
      );
    },
  );

  it.each<[string, (socket: PassThrough) => void]>([
    ['listens to the socket', socket => socket.on('close', () => {})],
    ['listens for errors too', socket => socket.on('error', () => {})],
    ['reads from it', socket => socket.resume()],
    [
      'writes to it',
      // A stream does not count what was written, and the socket of a connection does.
      socket =>
        Object.assign(socket, { bytesWritten: 12 }).write('HTTP/1.1 101'),
    ],
    ['sets a timeout', socket => Object.assign(socket, { timeout: 60_000 })],
    ['destroys it', socket => socket.destroy()],
  ])('leaves a socket to a listener that %s', async (_, take) => {
    for (const delayMs of [0, UNTOUCHED_MS - 1]) {
      const listener = (_req: unknown, socket: PassThrough) => {
        setTimeout(() => take(socket), delayMs);
      };
      const { answer, socket } = await answerAfter(2 * UNTOUCHED_MS, listener);
      expect(answer).not.toBe(NOT_FOUND);
      expect(socket.writableEnded).toBe(false);
    }
  });

  it('leaves a socket to a listener that has used it only at first', async () => {
    const listener = (_req: unknown, socket: PassThrough) => {
      const ignore = () => {};
      socket.on('close', ignore);
      setTimeout(() => socket.off('close', ignore), UNTOUCHED_MS / 2);
    };
    expect((await answerAfter(2 * UNTOUCHED_MS, listener)).answer).toBe('');
  });

  it('does not take another order of the listeners for a use of the socket', async () => {
    jest.useFakeTimers();
    const socket = new PassThrough();
    const ignore = () => {};
    socket.on('a', ignore).on('b', ignore);
    const listener = () => {
      const names = socket.eventNames();
      const listeners = names.map(name => socket.listeners(name)[0]);
      socket.removeAllListeners();
      for (const name of [...names].reverse()) {
        socket.on(name, listeners[names.indexOf(name)] as () => void);
      }
    };
    dispatchUpgrade(server, [listener], req, socket, head);
    await jest.advanceTimersByTimeAsync(UNTOUCHED_MS);
    jest.useRealTimers();
    expect(String(socket.read())).toContain(NOT_FOUND);
  });

  it('waits for a promise, however long it takes', async () => {
    const listener = () => new Promise(resolve => setTimeout(resolve, 60_000));
    expect((await answerAfter(60_000, listener)).answer).toBe('');
    expect((await answerAfter(60_000 + UNTOUCHED_MS, listener)).answer).toBe(
      NOT_FOUND,
    );
  });

  it('throws what a listener throws, and calls no other', async () => {
    let others = 0;
    const failing = () => {
      throw new TypeError('not thought of');
    };
    await expect(
      dispatchUpgrade(
        server,
        [failing, () => (others += 1)],
        req,
        new PassThrough(),
        head,
      ),
    ).rejects.toThrow('not thought of');
    expect(others).toBe(0);
  });
});

describe('answerUpgrade', () => {
  it.each([
    [
      404,
      undefined,
      [
        'HTTP/1.1 404 Not Found',
        'Connection: close',
        'Content-Length: 0',
        '',
        '',
      ],
    ],
    [
      503,
      { 'Retry-After': '5', 'X-Test': 'a' },
      [
        'HTTP/1.1 503 Service Unavailable',
        'Connection: close',
        'Content-Length: 0',
        'Retry-After: 5',
        'X-Test: a',
        '',
        '',
      ],
    ],
  ])(
    'answers %i, and closes the socket though the client does not',
    async (status, headers, lines) => {
      let written = '';
      const socket = new Duplex({
        read() {},
        write(chunk, _encoding, done) {
          written += chunk;
          done();
        },
      });
      answerUpgrade(socket, status, headers);
      await once(socket, 'finish');
      expect(written).toBe(lines.join('\r\n'));
      expect(socket.destroyed).toBe(true);
    },
  );
});
