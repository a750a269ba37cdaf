import { EventEmitter, once } from 'node:events';
import { createServer, IncomingMessage, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import { createPolicy } from '../../__tests__/__testUtils__/createPolicy';
import { serve } from '../../__tests__/__testUtils__/serve';
import { until } from '../../__tests__/__testUtils__/until';
import { AnswerKind, watchAnswer } from './Answer';

const policy = createPolicy({
  trustedOrigins: ['https://backstage.example.com', 'https://app.example.com'],
});
const decided = { method: 'GET', reportedPath: '/x', policy };

interface Answer {
  kind: AnswerKind;
  status: number;
}

const addTo = (answers: Answer[]) => (kind: AnswerKind, status: number) => {
  answers.push({ kind, status });
};

/** Sends a request to a handler, and returns what is found out about its answer. */
async function answersTo(
  handle: (req: IncomingMessage, res: ServerResponse) => void,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  const { port } = await serve((req, res) => {
    watchAnswer({ ...decided, res }, addTo(answers));
    handle(req, res);
  });
  const socket = connect(port, 'localhost', () =>
    socket.end(
      'GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
    ),
  );
  socket.on('error', () => {}).resume();
  await until(() => answers.length > 0);
  return answers;
}

describe('an answer', () => {
  it.each([
    [200, 'worked'],
    [204, 'worked'],
    [206, 'worked'],
    [300, 'redirected'],
    [304, 'worked'],
    [400, 'failed'],
    [401, 'refused'],
    [403, 'refused'],
    [404, 'not-found'],
    [405, 'failed'],
    [500, 'failed'],
    [503, 'failed'],
  ])('with the status %i is `%s`', async (status, kind) => {
    const answers = await answersTo((_req, res) => res.writeHead(status).end());
    expect(answers).toEqual([{ status, kind }]);
  });

  it.each([
    ['/api/docs/start', 'worked'],
    ['start', 'worked'],
    ['https://app.example.com/catalog', 'worked'],
    ['/blog-index', 'worked'],
    ['/loginov', 'worked'],
    ['/docs/api/auth/tokens', 'worked'],
    ['/entities?next=/login', 'worked'],
    ['/login', 'redirected'],
    ['/users/sign_in?next=%2F', 'redirected'],
    ['/Log-On.aspx', 'redirected'],
    ['/oauth2/start', 'redirected'],
    ['/oauth', 'redirected'],
    ['/saml', 'redirected'],
    ['/sso', 'redirected'],
    ['/api/auth/github/start', 'redirected'],
    ['https://app.example.com/sign-in', 'redirected'],
    ['https://app.example.com.evil.example/catalog', 'redirected'],
    ['//idp.example/authorize', 'redirected'],
    ['http://backstage.example.com/x', 'redirected'],
    ['https://', 'redirected'],
  ])('that redirects to %s is `%s`', async (location, kind) => {
    const answers = await answersTo((_req, res) => {
      res.setHeader('Location', location);
      res.writeHead(302).end();
    });
    expect(answers).toEqual([{ status: 302, kind }]);
  });

  it('that redirects without a header that can be read is `redirected`', async () => {
    const answers = await answersTo((_req, res) =>
      res.writeHead(307, { Location: '/start' }).end(),
    );
    expect(answers).toEqual([{ status: 307, kind: 'redirected' }]);
  });

  it('that redirects is `redirected` where no policy has the origins of this deployment', () => {
    const answers: Answer[] = [];
    const res = Object.assign(new EventEmitter(), {
      ...{ statusCode: 302, getHeader: () => 'https://app.example.com/x' },
      writeHead: () => res,
    }) as unknown as ServerResponse;
    watchAnswer({ ...decided, policy: undefined, res }, addTo(answers));
    res.writeHead(302);
    expect(answers).toEqual([{ status: 302, kind: 'redirected' }]);
  });

  it('is not awaited where nothing can show it', () => {
    expect(() => watchAnswer(decided, () => {})).not.toThrow();
  });

  it('is `aborted` if the client leaves before it', async () => {
    const answers = await answersTo(req => req.socket.destroy());
    expect(answers).toEqual([{ status: 0, kind: 'aborted' }]);
  });

  it('has worked if a stream has begun, whoever ends it', async () => {
    const answers = await answersTo((req, res) => {
      res.write('data: 1\n\n', () => req.socket.destroy());
    });
    expect(answers).toEqual([{ status: 200, kind: 'worked' }]);
  });

  it('has worked while a stream goes on, which a backend that stops would end too late', async () => {
    const answers: Answer[] = [];
    const { port } = await serve((_req, res) => {
      watchAnswer({ ...decided, res }, addTo(answers));
      res.write('data: 1\n\n');
    });
    const client = connect(port, 'localhost', () =>
      client.write('GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n'),
    );
    await once(client, 'data');
    expect(answers).toEqual([{ status: 200, kind: 'worked' }]);
    client.destroy();
  });

  it('throws no error of its observer at the server', async () => {
    let calls = 0;
    const { port } = await serve((_req, res) => {
      watchAnswer({ ...decided, res }, () => {
        calls += 1;
        throw new Error('of an observer');
      });
      res.end();
    });
    await fetch(`http://localhost:${port}/`);
    await until(() => calls === 1);
  });
});

describe('the answer to an upgrade', () => {
  /** Has a listener for upgrades answer on the socket, and returns what is found out. */
  async function answersOf(answer: (socket: Duplex) => unknown) {
    const answers: Answer[] = [];
    const received: Buffer[] = [];
    const server = createServer();
    server.on('upgrade', (_req, socket) => {
      watchAnswer({ ...decided, socket }, addTo(answers));
      answer(socket);
    });
    await new Promise<void>(resolve => {
      server.listen(0, 'localhost', resolve);
    });
    const { port } = server.address() as { port: number };
    const client = connect(port, 'localhost', () =>
      client.write(
        'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      ),
    );
    client.on('error', () => {}).on('data', chunk => received.push(chunk));
    await new Promise(resolve => {
      client.once('close', resolve);
    });
    server.close();
    return { answers, received: Buffer.concat(received).toString() };
  }

  const ACCEPTS = 'HTTP/1.1 101 Switching Protocols\r\n\r\n';
  const REFUSES = 'HTTP/1.1 401 Unauthorized\r\n\r\n';

  it.each<[string, (socket: Duplex) => unknown, Answer, string]>([
    [
      'text',
      socket => socket.write(ACCEPTS, () => socket.end('frame')),
      { status: 101, kind: 'worked' },
      `${ACCEPTS}frame`,
    ],
    [
      'bytes',
      socket => socket.end(Buffer.from(ACCEPTS)),
      { status: 101, kind: 'worked' },
      ACCEPTS,
    ],
    [
      'a refusal',
      socket => socket.end(REFUSES),
      { status: 401, kind: 'refused' },
      REFUSES,
    ],
    [
      'by a listener that has replaced `write`',
      socket => {
        const { write } = socket;
        socket.write = (text: string) =>
          Reflect.apply(write, socket, [`${text}!`]);
        socket.write(REFUSES);
        socket.write('frame');
        socket.end();
      },
      { status: 401, kind: 'refused' },
      `${REFUSES}!frame!`,
    ],
    [
      'by an older server behind a proxy',
      socket => socket.end('HTTP/1.0 200 OK\r\n\r\n'),
      { status: 200, kind: 'worked' },
      'HTTP/1.0 200 OK\r\n\r\n',
    ],
    ['nothing', socket => socket.destroy(), { status: 0, kind: 'aborted' }, ''],
    [
      'something else',
      socket => socket.end('hello HTTP/1.1 200 OK'),
      { status: 0, kind: 'aborted' },
      'hello HTTP/1.1 200 OK',
    ],
  ])('is read once, and sent as it is: %s', async (_, write, answer, sent) => {
    const { answers, received } = await answersOf(write);
    expect(answers).toEqual([answer]);
    expect(received).toBe(sent);
  });
});
