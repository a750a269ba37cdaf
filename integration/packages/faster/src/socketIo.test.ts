import type { Server } from 'node:http';
import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import { Server as SocketIo } from 'socket.io';
import { io } from 'socket.io-client';
import { recordingPlugin } from '../../../../src/__tests__/__testUtils__/recordingPlugin';
import { bearer } from '../../../../src/__tests__/__testUtils__/requestParts';
import { signedBackends } from '../../../../src/__tests__/__testUtils__/signedBackends';

const backends = signedBackends();

/** Has socket.io answer each message. It takes the requests of its path in front of Express, and its upgrades. */
function attach(server: Server) {
  const socketIo = new SocketIo(server);
  backends.add({ stop: () => socketIo.disconnectSockets(true) });
  socketIo.on('connection', socket =>
    socket.on('ask', (question, answer) => answer(`answer to ${question}`)),
  );
}

async function ask(port: number, transport: string): Promise<string> {
  const socket = io(`http://localhost:${port}`, { transports: [transport] });
  const answer = await socket.timeout(5000).emitWithAck('ask', transport);
  socket.disconnect();
  return answer;
}

it.each([
  [
    'before the first connection',
    ['polling', 'websocket'],
    ['has no effect: the listener for requests is no app of Express 4'],
  ],
  [
    'later',
    // The gate keeps listeners that plugins add from upgrades outside of `/api`, with and without the setting.
    ['polling'],
    [
      'is in effect',
      'has no effect from now on: the server has got another listener for requests',
    ],
  ],
])('socket.io that is attached %s works', async (when, transports, log) => {
  let server: Server;
  const backend = await backends.start({
    apiGate: { fasterServer: true },
    features: [
      recordingPlugin('hello').feature,
      rootHttpRouterServiceFactory({
        configure(context) {
          context.applyDefaults();
          server = context.server;
          if (when !== 'later') {
            attach(server);
          }
        },
      }),
    ],
  });
  const user = bearer(await backend.sign());
  expect(await backend.statusOf('/api/hello/x', user)).toBe(200);
  if (when === 'later') {
    attach(server!);
  }
  for (const transport of transports) {
    expect(await ask(backend.port, transport)).toBe(`answer to ${transport}`);
  }
  expect(await backend.statusOf('/api/hello/x', user)).toBe(200);
  expect(await backend.statusOf('/api/hello/x')).toBe(401);
  expect(backend.logged('fasterServer').map(({ message }) => message)).toEqual(
    log.map(line => `auth.apiGate.fasterServer ${line}`),
  );
});
