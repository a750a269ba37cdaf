import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import type { JsonObject } from '@backstage/types';
import { answerUpgrade } from '../../gate/upgrades/dispatchUpgrade';
import { recordingPlugin } from './recordingPlugin';
import { createSigningKey, UserTokenClaims } from './signingKey';
import { startBackend } from './startBackend';
import { until } from './until';

/**
 * Starts a backend in which a plugin listens to every upgrade, from its first request on, and answers with 418.
 *
 * @param apiGate - the value of `auth.apiGate`
 * @param config - the rest of the configuration. Default: none
 */
export async function startListening(
  apiGate: JsonObject,
  config: JsonObject = {},
) {
  const key = await createSigningKey();
  /** The targets of the upgrades that the listener has heard of. */
  const heard: string[] = [];
  const listener = (req: IncomingMessage, socket: Duplex) => {
    heard.push(req.url!);
    answerUpgrade(socket, 418);
  };
  let server: Server;
  const hello = recordingPlugin('hello', {
    handle: (_req, res) => {
      if (server.listenerCount('upgrade') === 0) {
        server.on('upgrade', listener);
      }
      res.json({});
    },
  });
  const backend = await startBackend({
    features: [
      hello.feature,
      rootHttpRouterServiceFactory({
        configure({ applyDefaults, server: own }) {
          server = own as unknown as Server;
          applyDefaults();
        },
      }),
    ],
    config: {
      ...config,
      auth: { ...(key.config.auth as JsonObject), apiGate },
    },
  });
  const sign = (claims: Partial<UserTokenClaims> = {}) =>
    key.sign({ iss: `${backend.url}/api/auth`, ...claims });
  const token = await sign();
  await until(async () => {
    const { status } = await fetch(`${backend.url}/api/hello/x`, {
      headers: { authorization: `Bearer ${token}` },
    });
    return status === 200;
  });
  return {
    ...backend,
    heard,
    sign,
    async stop() {
      await backend.stop();
      await key.remove();
    },
  };
}
