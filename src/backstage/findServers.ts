import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Server } from 'node:http';
import { AddressInfo, connect } from 'node:net';
import { readHttpServerOptions } from '@backstage/backend-defaults/rootHttpRouter';
import type { RootConfigService } from '@backstage/backend-plugin-api';
import { lackOf } from './releaseFeatures';

const NEW_CONNECTION = 'net.server.socket';

/** The longest time that a trial of the hook takes. The process may be busy for seconds, as it loads plugins. */
const TRIAL_MS = 30_000;

/** Reports the servers of this process that get connections. */
export interface ServerWatch {
  /** Calls back for each server that has had a connection since the watch began, and with each connection from now on. */
  follow(onConnection: (server: Server) => void): void;
  stop(): void;
}

/**
 * Watches the servers of this process from now on. Backstage hands its server to nobody but an adopter's `configure`, and the server
 * listens before the gate is mounted: an upgrade may come by a connection from that time.
 *
 * @throws Error as {@link lackOf} returns it, unless a server and a connection of its own show that Node's hook works
 */
export async function watchServers(): Promise<ServerWatch> {
  const seen = new Set<Server>();
  let report = (server: Server): void => void seen.add(server);
  const onMessage = (message: any) => {
    const { server } = message.socket;
    if (server) {
      report(server);
    }
  };
  subscribe(NEW_CONNECTION, onMessage);
  const stop = () => void unsubscribe(NEW_CONNECTION, onMessage);
  const trial = new Server(() => {});
  await connectTo(trial);
  if (!seen.delete(trial)) {
    stop();
    throw lackOf([`the diagnostics channel ${NEW_CONNECTION}`]);
  }
  return {
    follow(onConnection) {
      report = onConnection;
      for (const server of seen) {
        onConnection(server);
      }
      seen.clear();
    },
    stop,
  };
}

/** Makes one connection to a server, and waits until Node has reported it, or until there can be none. */
async function connectTo(server: Server): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await new Promise<void>(resolve => {
    timer = setTimeout(resolve, TRIAL_MS);
    // Node reports a connection right after this event.
    server.on('connection', socket => {
      socket.destroy();
      resolve();
    });
    server.on('error', () => resolve());
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      connect(port, '127.0.0.1').on('error', () => resolve());
    });
  });
  clearTimeout(timer);
  server.close();
}

/**
 * Finds the HTTP servers of a backend by their connections, each before its first request. An adopter may have the app listen at
 * further ones.
 *
 * A server is the backend's if it listens at the port that the configuration names, or if one of its listeners for `request` is the
 * app. Other servers in the process are left alone.
 */
export function findServers(options: {
  config: RootConfigService;
  watch: Pick<ServerWatch, 'follow'>;
  isApp(listener: Function): boolean;
  onFound(server: Server): void;
}): void {
  const { config, isApp, onFound, watch } = options;
  const port = readPort(config);
  const judged = new WeakSet<Server>();
  watch.follow(server => {
    // A server that has no listener for `request` yet may get the app later.
    if (judged.has(server) || !server.listenerCount('request')) {
      return;
    }
    judged.add(server);
    const address = server.address();
    const listensAtPort = typeof address === 'object' && address?.port === port;
    if (listensAtPort || server.listeners('request').some(isApp)) {
      onFound(server);
    }
  });
}

/** The port at which Backstage's own root router listens. An adopter's may read nothing of the configuration. */
function readPort(config: RootConfigService): number | undefined {
  try {
    return readHttpServerOptions(config.getOptionalConfig('backend')).listen
      .port;
  } catch {
    return undefined;
  }
}
