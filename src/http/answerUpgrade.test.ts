import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { answerUpgrade } from './answerUpgrade';

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
