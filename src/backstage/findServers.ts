import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Server } from 'node:http';
import { AddressInfo, connect, Server as AnyServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { readHttpServerOptions } from '@backstage/backend-defaults/rootHttpRouter';
import type { RootConfigService } from '@backstage/backend-plugin-api';
import type { RequestHandler } from 'express';
import { lackOf } from './releaseFeatures';

const NEW_CONNECTION = 'net.server.socket';

/** How many turns of the event loop a trial of the hooks has. The process may be busy for seconds in one, as it loads plugins. */
const TRIAL_TURNS = 200;
const TURN_MS = 5;

/** How deep routers may be nested in an app. */
const MAX_DEPTH = 5;

/**
 * Finds the HTTP servers of a backend, those that listen already at once, and others by their first connection, before any request:
 * Backstage hands its server to nobody but an adopter's `configure`, and an adopter may have the app listen at a second one.
 *
 * A server is the backend's if it listens at the port that the configuration names, or if its listener for `request` is, or
 * holds, the Express app that leads to `mount`. Other servers in the process are left alone.
 *
 * @returns what ends the search
 */
export function findServers(options: {
  config: RootConfigService;
  mount: RequestHandler;
  onFound(server: Server): void;
}): () => void {
  const { config, mount, onFound } = options;
  const port = readPort(config);
  const judged = new WeakSet<Server>();
  const isOfBackend = (server: Server) => {
    const address = server.address();
    const listensAtPort = typeof address === 'object' && address?.port === port;
    const apps = server.listeners('request');
    return listensAtPort || apps.some(app => leadsTo(app, mount));
  };
  const judge = (server: Server | undefined) => {
    // A server that has no listener for `request` yet may get the app later.
    if (!server || judged.has(server) || !server.listenerCount('request')) {
      return;
    }
    judged.add(server);
    if (isOfBackend(server)) {
      onFound(server);
    }
  };
  // Backstage's server listens before the gate is mounted: an upgrade may come by a connection from that time. Another server may
  // get the app later.
  for (const server of listeningServers().filter(isOfBackend)) {
    judged.add(server);
    onFound(server);
  }
  return watchConnections(judge);
}

function watchConnections(
  onConnection: (server: Server | undefined) => void,
): () => void {
  const onMessage = (message: any) => onConnection(message.socket.server);
  subscribe(NEW_CONNECTION, onMessage);
  return () => {
    unsubscribe(NEW_CONNECTION, onMessage);
  };
}

/**
 * Tries the hooks of Node that {@link findServers} uses, by a server of its own and one connection to it.
 *
 * @throws Error as {@link lackOf} returns it, unless they work
 */
export async function assertHooksWork(): Promise<void> {
  const server = new Server(() => {});
  let isSeen = false;
  const stop = watchConnections(seen => {
    isSeen ||= seen === server;
  });
  // Without a connection, no hook is seen to work.
  let turnsLeft = TRIAL_TURNS;
  const fail = () => {
    turnsLeft = 0;
  };
  server.on('error', fail);
  server.on('connection', socket => socket.destroy());
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo;
    connect(port, '127.0.0.1').on('error', fail);
  });
  try {
    for (; turnsLeft > 0 && !isSeen; turnsLeft -= 1) {
      await sleep(TURN_MS);
    }
    if (!isSeen || !listeningServers().includes(server)) {
      throw lackOf([
        `process._getActiveHandles() or the diagnostics channel ${NEW_CONNECTION}`,
      ]);
    }
  } finally {
    stop();
    server.close();
  }
}

/** Returns the servers of this process that listen. No documented function of Node does; without it, there are none. */
function listeningServers(): Server[] {
  const { _getActiveHandles } = process as { _getActiveHandles?(): unknown[] };
  const handles = _getActiveHandles?.call(process) ?? [];
  return handles.filter(
    each =>
      each instanceof AnyServer &&
      each.listening &&
      each.listenerCount('request') > 0,
  ) as Server[];
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

/** Returns whether a listener is the mount, or an Express app or router that holds it. */
export function leadsTo(
  listener: unknown,
  mount: RequestHandler,
  depth = MAX_DEPTH,
): boolean {
  if (listener === mount || depth === 0 || typeof listener !== 'function') {
    return listener === mount;
  }
  const { stack } = (listener as any)._router ?? listener;
  return (
    Array.isArray(stack) &&
    stack.some(({ handle }) => leadsTo(handle, mount, depth - 1))
  );
}
