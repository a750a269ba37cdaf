// Runs a backend: Backstage's default services, the gate, and the plugins that `BACKEND_CONFIG` names. The process answers the
// test's requests by `BackendProcess.ask`.
import {
  AuthService,
  BackendFeature,
  coreServices,
  createBackendModule,
} from '@backstage/backend-plugin-api';
import type { Request, Response } from 'express';
import apiGate from '../../../src';
import { recordingPlugin } from '../../../src/__tests__/__testUtils__/recordingPlugin';
import { createChildBackend } from '../../createChildBackend';
import { runAsChild } from '../../runAsChild';

const { plugins, config } = JSON.parse(process.env.BACKEND_CONFIG!);

const auths = new Map<string, AuthService>();
const handled = new Map<string, unknown[]>();
const streams = new Set<Response>();

const realPlugins: Record<string, Promise<{ default: BackendFeature }>[]> = {
  auth: [
    import('@backstage/plugin-auth-backend'),
    import('@backstage/plugin-auth-backend-module-guest-provider'),
  ],
  catalog: [import('@backstage/plugin-catalog-backend')],
  gateway: [import('@backstage/plugin-gateway-backend')],
};

/** Answers with the parts of the request that reached the handler. */
function handle(pluginId: string, req: Request, res: Response) {
  if (req.path === '/events') {
    const { cacheControl = 'no-cache' } = req.query;
    res.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': String(cacheControl),
    });
    streams.add(res);
    res.once('close', () => streams.delete(res));
    // Without this call, nothing is sent before the first event.
    res.flushHeaders();
    return;
  }
  res.set('Cache-Control', 'max-age=60').json({
    plugin: pluginId,
    path: req.path,
    authorization: req.headers.authorization ?? null,
    cookie: req.headers.cookie ?? null,
    user: (req as any).user?.identity.userEntityRef ?? null,
  });
}

/** Creates a plugin that opens all its own paths, so that only the gate refuses requests. */
function openPlugin(pluginId: string): BackendFeature {
  const plugin = recordingPlugin(pluginId, {
    policies: [
      { path: '/', allow: 'unauthenticated' },
      { path: '/static', allow: 'user-cookie' },
    ],
    handle: (req, res) => handle(pluginId, req, res),
  });
  handled.set(pluginId, plugin.handled);
  return plugin.feature;
}

/** Lets the test request a plugin's tokens. */
function tokens(pluginId: string): BackendFeature {
  return createBackendModule({
    pluginId,
    moduleId: 'tokens',
    register(reg) {
      reg.registerInit({
        deps: { auth: coreServices.auth },
        async init({ auth }) {
          auths.set(pluginId, auth);
        },
      });
    },
  });
}

const answers: Record<string, (question: any) => unknown> = {
  /** Returns a token of one plugin for another, on behalf of the user whose token is given, or of itself. */
  async token({ of, to, onBehalfOf }) {
    const auth = auths.get(of)!;
    const { token } = await auth.getPluginRequestToken({
      onBehalfOf: onBehalfOf
        ? await auth.authenticate(onBehalfOf)
        : await auth.getOwnServiceCredentials(),
      targetPluginId: to,
    });
    return token;
  },
  /** Returns the token that Backstage puts into its own cookie. */
  async 'limited token'({ of }) {
    const [anyAuth] = auths.values();
    const credentials = await anyAuth.authenticate(of);
    if (!anyAuth.isPrincipal(credentials, 'user')) {
      throw new Error('A limited token is for users only');
    }
    return (await anyAuth.getLimitedUserToken(credentials)).token;
  },
  /** Returns the number of requests that have reached a plugin's handler. */
  handled: ({ by }) => handled.get(by)!.length,
  /** Sends an event to all open streams. */
  emit({ event }) {
    for (const res of streams) {
      res.write(`data: ${event}\n\n`);
      // Without `no-transform`, a flush gets the event through the compression that Backstage puts in front of the handler.
      if (!/no-transform/.test(String(res.getHeader('Cache-Control')))) {
        (res as any).flush();
      }
    }
  },
  streams: () => streams.size,
  'end streams'() {
    streams.forEach(res => res.end());
    streams.clear();
  },
  /** Moves the clocks forward, so that caches expire: keys are kept for ten minutes. */
  'forward clock'({ milliseconds }) {
    for (const clock of [Date, performance]) {
      const now = clock.now.bind(clock);
      clock.now = () => now() + milliseconds;
    }
  },
};

const backend = createChildBackend(config, [apiGate], { withAuth: false });
for (const pluginId of plugins) {
  (realPlugins[pluginId] ?? [openPlugin(pluginId)]).forEach(feature =>
    backend.add(feature),
  );
  backend.add(tokens(pluginId));
}

runAsChild(backend, answers);
