import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import type { ApiGateConfig } from '../../settings/read/readApiGateConfig';
import { UpgradeGate } from '../../gate/upgrades/UpgradeGate';
import { readUpgradeTarget } from '../../gate/read/mountedRequest';
import { createGateServices, ISSUER } from './createGateServices';
import { unsignedToken } from './unsignedToken';

const NOW = Math.floor(Date.now() / 1000);

/** The claims that identify the session of a user. */
export const sessionOf = (sub: string) => ({ sub, iat: NOW, exp: NOW + 3600 });

/** Returns a user's own token of this backend. */
export const userTokenOf = (sub: string) =>
  unsignedToken('vnd.backstage.user', { iss: ISSUER, ...sessionOf(sub) });

/** Creates a request for an upgrade to a WebSocket, as Node passes it to a server's listeners. */
export function upgradeRequest(
  headers: Record<string, string> = {},
): IncomingMessage {
  const req = new IncomingMessage(new Socket());
  const all = { upgrade: 'websocket', connection: 'upgrade', ...headers };
  return Object.assign(req, {
    method: 'GET',
    url: '/api/live/ws',
    headers: all,
    rawHeaders: Object.entries(all).flat(),
  });
}

/** Creates the gate for upgrades of a backend whose only plugin is `live`, with its services. */
export function createUpgradeServices(
  options: {
    tokens?: Record<string, object | Error>;
    policy?: Partial<ApiGateConfig>;
    /** Users whose sessions are revoked. */
    revoked?: string[];
    /** The start of the plugin. */
    started?: Promise<void>;
  } = {},
) {
  const { policy = {}, revoked = [], started, tokens = {} } = options;
  const gate = createGateServices({
    installed: ['live'],
    replaced: {
      revocations: {
        isLoaded: true,
        isRevoked: ({ sub }: { sub: string }) => revoked.includes(sub),
      } as never,
    },
  });
  gate.policy = { audit: { clientAddress: true }, ...policy };
  gate.tokens = new Map(Object.entries(tokens));
  if (started) {
    gate.starting.set('live', started);
  }
  const upgradeGate = new UpgradeGate(gate.services);
  return Object.assign(gate, {
    upgradeGate,
    /** Sends an upgrade to the gate. */
    async admit(req: IncomingMessage, target = '/api/live/ws') {
      const socket = new PassThrough();
      const mounted = readUpgradeTarget(target)!;
      const admitted = await upgradeGate.admit(req, socket, mounted);
      const answer = String(socket.read() ?? '');
      return { admitted, answer, socket };
    },
  });
}
