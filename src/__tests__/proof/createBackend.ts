import http, { IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import express, { NextFunction, Request, Response } from 'express';
import { createGateServices } from '../__testUtils__/createGateServices';
import { createPolicy } from '../__testUtils__/createPolicy';
import type { Decision } from '../../gate/Decision';
import { createGate } from '../../gate/createGate';
import { COOKIE_PATH } from '../../gate/read/requestLine';
import { readUpgradeTarget } from '../../gate/read/mountedRequest';
import { UpgradeGate } from '../../gate/upgrades/UpgradeGate';
import { TokenCache } from '../../gate/verify/TokenCache';
import { createHttpAuth } from './createHttpAuth';
import { Headers, readByNode } from './readers';
import { State } from './states';
import { VERIFIED } from './tokens';

/** The name of the credential header. */
export const CREDENTIAL = 'x-credential';
const ORIGIN = 'https://backstage.example.com';
const PATHS: Partial<Record<State['route'], string>> = {
  'cookie path': '/static/data',
  'foreign path': '/foreign/data',
  rule: '/open',
  'sign-out': COOKIE_PATH,
};

/** Returns whether Backstage verifies a text. */
export function isValid(text: string): boolean {
  const principal = VERIFIED.get(text);
  return principal !== undefined && !(principal instanceof Error);
}

/** A request as Node has read it, and what the gate has made of it. */
export interface Followed {
  received: Headers;
  req: IncomingMessage;
  decision: Decision;
  /** The token that verified last before the decision. */
  verified: string | undefined;
  /** The token that the plugin's `httpAuth` authenticates behind the gate; `refused` for an invalid one. */
  httpAuth: string | undefined;
}

/**
 * Creates a backend that reads requests from bytes, and has Backstage's own `httpAuth` behind the gate as the module makes it. Returns a
 * function that sends a request with these lines of headers, beside the usual ones.
 */
export function createBackend(
  scene: State,
): (lines: string[]) => Promise<Followed> {
  let decision: Decision | undefined;
  const tokens = new TokenCache({ ttlMs: 0 });
  let verified: string | undefined;
  const rule = {
    plugin: 'here',
    path: PATHS.rule,
    methods: ['GET', 'WEBSOCKET'],
  };
  const policy = createPolicy({
    mode: scene.mode,
    allow: [rule],
    ...(scene.header && { credentialHeader: CREDENTIAL }),
    foreignAuthorization: [{ plugin: 'here', path: '/foreign/**' }],
  } as never);
  const { plugins, services } = createGateServices({
    installed: ['here', 'auth'],
    replaced: {
      tokens,
      source: { current: policy },
      cookieIssuer: undefined,
      revocations: {
        isLoaded: true,
        isRevoked: () => false,
        revoke: async () => true,
      } as never,
      signOutsByOthers: { take: () => 0 } as never,
      observer: {
        decided: (_: unknown, recorded: Decision) => {
          decision = recorded;
        },
        signedOut: () => {},
      } as never,
    },
  });
  const verifies = createHttpAuth(tokens, text => {
    verified = text;
  });
  const { httpAuth } = verifies;
  plugins.register({
    ...plugins.installed('here'),
    id: 'here',
    ...verifies,
  } as never);

  let received: Headers;
  let end: (followed: Followed) => void;
  const finish = async (req: IncomingMessage) => {
    const authenticated = verified;
    const token = await httpAuth.credentials(req as Request).then(
      credentials => (credentials as { token?: string }).token,
      () => 'refused',
    );
    end({
      received,
      req,
      decision: decision!,
      verified: authenticated,
      httpAuth: token,
    });
  };
  const app = express();
  app.use(
    '/api/:gatedPluginId',
    createGate(services, { guardServerOf: () => {} }),
    (req: Request, res: Response) => finish(req).then(() => res.end()),
  );
  app.use((_: Error, req: Request, res: Response, _next: NextFunction) =>
    finish(req).then(() => res.end()),
  );
  const upgradeGate = new UpgradeGate(services);
  const server = http.createServer((req, res) => {
    received = readByNode(req.rawHeaders);
    app(req, res);
  });
  server.on('upgrade', (req, socket) => {
    received = readByNode(req.rawHeaders);
    upgradeGate
      .admit(req, socket, readUpgradeTarget(req.url!)!)
      .then(() => finish(req));
  });

  const connect = () => {
    const socket = new Duplex({
      read: () => {},
      write: (_chunk, _encoding, done) => done(),
    });
    server.emit('connection', socket);
    return socket;
  };
  let socket: Duplex | undefined;
  const isUpgrade = scene.door === 'upgrade';
  const usual = [
    `${scene.route === 'sign-out' ? 'DELETE' : 'GET'} /api/here${PATHS[scene.route] ?? '/data'} HTTP/1.1`,
    'Host: localhost',
    'X-Other: 1',
    ...(scene.header ? [] : ['X-Credential: another header']),
    ...(isUpgrade
      ? ['Upgrade: websocket', 'Connection: Upgrade', `Origin: ${ORIGIN}`]
      : []),
  ];
  return (lines: string[]): Promise<Followed> => {
    verified = undefined;
    decision = undefined;
    // The server leaves the connection of an upgrade to its listeners.
    socket = isUpgrade || !socket ? connect() : socket;
    const bytes = [...usual, ...lines, 'x-other: 2', '\r\n'].join('\r\n');
    const followed = new Promise<Followed>(resolve => {
      end = resolve;
    });
    socket.push(Buffer.from(bytes, 'latin1'));
    return followed;
  };
}
