import { once } from 'node:events';
import http, { createServer, IncomingMessage, ServerResponse } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { connect, Socket } from 'node:net';
import express from 'express';
import {
  haveSameHiddenClass,
  isFasterServerNeeded,
  isReplacingCostly,
} from '../__tests__/__testUtils__/hiddenClass';
import { listen } from '../__tests__/__testUtils__/serve';
import { presetPrototypes } from './presetPrototypes';

const logged: string[] = [];
const log = (message: string) => void logged.push(message);
const logger = { info: log, warn: log } as any;

beforeEach(() => {
  logged.length = 0;
});

/** An app that keeps what each request is made of. */
function recordingApp() {
  const handled: { req: object; res: object }[] = [];
  const app = express().use((req, res) => {
    handled.push({ req, res });
    res.json({ path: req.path, protocol: req.protocol });
  });
  return { app, handled };
}

const prototypesOf = (...objects: object[]) =>
  objects.map(each => Object.getPrototypeOf(each));

const describeWhereNeeded = isFasterServerNeeded ? describe : describe.skip;

describeWhereNeeded('presetPrototypes', () => {
  it.each([true, false])(
    '[P92] has requests share their hidden class, and their responses: %s',
    async isPreset => {
      const { app, handled } = recordingApp();
      const { server, url } = await listen(createServer(app));
      if (isPreset) {
        presetPrototypes(server, logger);
      }
      for (let i = 0; i < 20; i += 1) {
        const answer = await fetch(`${url}/x`);
        expect(await answer.json()).toEqual({ path: '/x', protocol: 'http' });
      }
      const [one, other] = handled.slice(-2);
      expect([
        haveSameHiddenClass(one.req, other.req),
        haveSameHiddenClass(one.res, other.res),
      ]).toEqual(
        isPreset || !isReplacingCostly ? [true, true] : [false, false],
      );
      expect(prototypesOf(one.req, one.res)).toEqual([
        app.request,
        app.response,
      ]);
      expect(logged).toEqual(
        isPreset ? ['auth.apiGate.fasterServer is in effect'] : [],
      );
    },
  );

  it.each([
    ['upgrade', ['Connection: Upgrade', 'Upgrade: any']],
    ['connect', []],
    ['checkContinue', ['Expect: 100-continue']],
    ['checkExpectation', ['Expect: other']],
    ['dropRequest', []],
  ])(
    "[P94] leaves Node's prototypes to listeners for %s",
    async (event, headerLines) => {
      const { app, handled } = recordingApp();
      const { server, port } = await listen(createServer(app));
      const received: object[] = [];
      server.on(
        event,
        (req: IncomingMessage, other: ServerResponse | Socket) => {
          received.push(
            req,
            ...(other instanceof ServerResponse ? [other] : []),
          );
          other.end();
          req.socket.destroy();
        },
      );
      server.maxRequestsPerSocket = 1;
      presetPrototypes(server, logger);
      const method = event === 'connect' ? 'CONNECT' : 'GET';
      const head = [`${method} /x HTTP/1.1`, 'Host: x', ...headerLines, '', ''];
      const socket = connect(port, 'localhost');
      // The second request of a connection is dropped.
      socket.write(head.join('\r\n').repeat(event === 'dropRequest' ? 2 : 1));
      socket.resume();
      await once(socket, 'close');
      expect(handled).toHaveLength(event === 'dropRequest' ? 1 : 0);
      expect(prototypesOf(...received)).toEqual(
        [IncomingMessage.prototype, ServerResponse.prototype].slice(
          0,
          event.startsWith('check') ? 2 : 1,
        ),
      );
    },
  );

  it('[P93] is undone by a second listener for requests', async () => {
    const { app, handled } = recordingApp();
    const { server, url } = await listen(createServer(app));
    presetPrototypes(server, logger);
    const heard: object[] = [];
    const listener: RequestListener = (...objects) =>
      heard.push(...prototypesOf(...objects));
    server.prependListener('request', listener);
    server.on('request', () => {});
    await fetch(url);
    expect(heard).toEqual([
      IncomingMessage.prototype,
      ServerResponse.prototype,
    ]);
    expect(handled).toHaveLength(1);
    expect(logged.slice(1)).toEqual([
      'auth.apiGate.fasterServer has no effect from now on: the server has got another listener for requests',
    ]);
  });

  /** Has Node's class be another one, from before the server is made. */
  const nodeWith = (Class: object) => {
    http.IncomingMessage = Class as any;
    return createServer({ IncomingMessage: Class as any }, express());
  };
  const nodesOwn = http.IncomingMessage;
  afterEach(() => {
    http.IncomingMessage = nodesOwn;
  });

  const rows: [string, () => Server, string][] = [
    [
      'a second listener for requests',
      () => createServer(express()).on('request', () => {}),
      'the server has several listeners for requests',
    ],
    [
      'no listener for requests',
      () => createServer(),
      'the listener for requests is no app of Express 4',
    ],
    [
      'a function that calls the app',
      () => createServer((req, res) => express()(req, res)),
      'the listener for requests is no app of Express 4',
    ],
    [
      'another release of Express',
      () => createServer(Object.assign(express(), { lazyrouter: undefined })),
      'the listener for requests is no app of Express 4',
    ],
    [
      'requests of a class of its own',
      () =>
        createServer(
          { IncomingMessage: class extends IncomingMessage {} },
          express(),
        ),
      "Node's class IncomingMessage is not at the server",
    ],
    [
      'responses of a class of its own',
      () =>
        createServer(
          { ServerResponse: class extends ServerResponse {} },
          express(),
        ),
      "Node's class ServerResponse is not at the server",
    ],
    [
      'a Node that keeps its classes elsewhere',
      () => {
        const server: any = createServer(express());
        Object.getOwnPropertySymbols(server)
          .filter(symbol => server[symbol] === IncomingMessage)
          .forEach(symbol => delete server[symbol]);
        return server;
      },
      "Node's class IncomingMessage is not at the server",
    ],
    [
      'a Node that keeps its class under two symbols',
      () =>
        Object.assign(createServer(express()), {
          [Symbol('other')]: IncomingMessage,
        }),
      "Node's class IncomingMessage is not at the server",
    ],
    [
      'a Node whose class is no function',
      () => nodeWith(class extends IncomingMessage {}),
      'Class constructor',
    ],
    [
      'a Node whose class sets a property that Express reads only',
      () =>
        nodeWith(function WithPath(this: any) {
          this.path = '/';
        }),
      'Cannot set property path of #<IncomingMessage> which has only a getter',
    ],
    [
      'a Node whose class checks its prototype',
      () =>
        nodeWith(function Checking(this: object) {
          if (this instanceof Checking) {
            Object.assign(this, { own: true });
          }
        }),
      "Node's class Checking works only with a prototype of its own",
    ],
  ];
  it.each(rows)('[P93] does nothing with %s', async (_name, create, reason) => {
    const server: any = create();
    const keys = [...Object.getOwnPropertySymbols(server), 'emit'];
    const values = () => keys.map(key => server[key]);
    const before = values();
    presetPrototypes(server, logger);
    expect(values()).toEqual(before);
    expect(server.listenerCount('newListener')).toBe(0);
    expect(logged).toEqual([
      expect.stringContaining(
        `auth.apiGate.fasterServer has no effect: ${reason}`,
      ),
    ]);
  });
});
