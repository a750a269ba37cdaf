import { createServer, RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';

const servers = new Set<Server>();

function stop(server: Server): void {
  server.closeAllConnections();
  server.close();
}

afterAll(() => servers.forEach(stop));

/** Starts a server, which runs until {@link stop} or to the end of the tests of a file. */
export async function listen(server: Server) {
  servers.add(server);
  await new Promise<void>(resolve => {
    server.listen(0, 'localhost', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    server,
    port,
    url: `http://localhost:${port}`,
    stop: () => stop(server),
  };
}

/** Starts a server that answers as a listener does: see {@link listen}. */
export const serve = (listener: RequestListener) =>
  listen(createServer(listener));
