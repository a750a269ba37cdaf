import {
  AuditorService,
  coreServices,
  createServiceFactory,
} from '@backstage/backend-plugin-api';
import { httpRouterServiceFactory } from '@backstage/backend-defaults/httpRouter';
import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import eventsPlugin from '@backstage/plugin-events-backend';
import signalsPlugin from '@backstage/plugin-signals-backend';
import type { RequestHandler } from 'express';
import { latch, slowModule } from '../__testUtils__/latch';
import { rawRequest } from '../__testUtils__/rawRequest';
import { openPlugin, recordingPlugin } from '../__testUtils__/recordingPlugin';
import { bearer, cookie } from '../__testUtils__/requestParts';
import { signedBackends } from '../__testUtils__/signedBackends';
import { freePort } from '../__testUtils__/freePort';
import { until } from '../__testUtils__/until';

// Goes in August 2027: releases before September 2026 fetch the keys of users again for each unknown key.
const { API_GATE_TEST_RELEASE: release = '2026-11' } = process.env;
// Goes in December 2026: the events plugin that the registry has does not start on December 2025.
const describeWithEvents = release >= '2026-01' ? describe : describe.skip;

const backends = signedBackends();
afterEach(backends.stopAll);

/** Waits until a backend that starts answers a request with a status. */
const untilAnswered = (port: number, target: string, expected: number) =>
  until(() =>
    rawRequest(port, target).then(
      ({ status }) => status === expected,
      () => false,
    ),
  );

/** Creates an adopter's root router, with middleware in front of the routes and nothing behind them. */
const ownRootRouter = (...middleware: RequestHandler[]) =>
  rootHttpRouterServiceFactory({
    configure({ app, routes }) {
      app.use(...middleware, routes);
    },
  });

const pause = (milliseconds: number) => ({
  backend: { lifecycle: { startupRequestPauseTimeout: { milliseconds } } },
});

describe('a request while the backend starts', () => {
  it('waits for its plugin as in a stock backend, then passes', async () => {
    const { open, opened } = latch();
    const slow = recordingPlugin('slow', { init: () => opened });
    const port = await freePort();
    const token = await backends.signFor(port);
    const starting = backends.start({ port, features: [slow.feature] });
    await untilAnswered(port, '/api/auth/.well-known/jwks.json', 200);
    const answer = rawRequest(port, '/api/slow/x', {
      headerLines: [bearer(token)],
    });
    setTimeout(open, 300);
    await starting;
    expect((await answer).status).toBe(200);
  });

  it.each(['slow', 'auth'])(
    'is 503 with Retry-After, never open and never 401, when %s takes too long',
    async slowPlugin => {
      const { open, opened } = latch();
      const slow = openPlugin('slow', {
        init: () => (slowPlugin === 'slow' ? opened : undefined),
      });
      const port = await freePort();
      const token = await backends.signFor(port);
      const starting = backends.start({
        port,
        features: [
          slow.feature,
          ...(slowPlugin === 'auth' ? [slowModule('auth', opened)] : []),
        ],
        config: pause(200),
      });
      await untilAnswered(port, '/api/nosuchplugin/x', 401);
      await new Promise(resolve => setTimeout(resolve, 500));
      for (const headerLine of [bearer(token), cookie(token)]) {
        const { status, headers } = await rawRequest(port, '/api/slow/x', {
          headerLines: [headerLine],
        });
        expect(status).toBe(503);
        expect(headers['retry-after']).toMatch(/^\d+$/);
        expect(headers['set-cookie']).toBeUndefined();
      }
      expect(slow.handled).toHaveLength(0);
      open();
      const { statusOf } = await starting;
      expect(await statusOf('/api/slow/x', bearer(token))).toBe(200);
    },
  );

  describeWithEvents('with the events plugin', () => {
    it('waits for a plugin that has not registered, so that the client of events logs nothing at start', async () => {
      const { open, opened } = latch();
      const { logged } = await backends.start({
        features: [
          signalsPlugin,
          eventsPlugin,
          // A plugin registers when its services are there. On PostgreSQL, those of `events` are there later than the first call.
          createServiceFactory({
            service: coreServices.auditor,
            deps: { plugin: coreServices.pluginMetadata },
            async factory({ plugin }) {
              await (plugin.getId() === 'events' && opened);
              return {} as AuditorService;
            },
          }),
        ],
        // An open poll would delay the stop of the backend.
        config: { events: { notifyTimeoutMs: 200 } },
        whileStarting: () => setTimeout(open, 1_000),
      });
      await until(
        () => logged('PUT /api/events/bus/v1/subscriptions').length > 0,
      );
      expect(logged('PUT /api/events/bus/v1/subscriptions')).toEqual([
        expect.objectContaining({
          meta: expect.objectContaining({ status: 201 }),
        }),
      ]);
      expect(logged('API gate refused')).toEqual([]);
      expect(logged('Poll failed')).toEqual([]);
    });
  });

  it('[P4] is never open to a plugin that registers late', async () => {
    const statuses: number[] = [];
    let probing = true;
    const late = openPlugin('late', {
      init: () => new Promise(resolve => setTimeout(resolve, 500)),
    });
    let probes: Promise<void> | undefined;
    const { statusOf } = await backends.start({
      features: [late.feature],
      config: pause(100),
      whileStarting: url => {
        const port = Number(new URL(url).port);
        probes = (async () => {
          while (probing) {
            await rawRequest(port, '/api/late/x').then(
              ({ status }) => statuses.push(status),
              () => {},
            );
            await new Promise(resolve => setTimeout(resolve, 10));
          }
        })();
      },
    });
    await new Promise(resolve => setTimeout(resolve, 200));
    probing = false;
    await probes;
    expect(late.handled).toHaveLength(0);
    expect(new Set(statuses)).not.toContain(200);
    expect(statuses).toContain(503);
    expect(await statusOf('/api/late/x')).toBe(401);
  });
});

describe('an adopter', () => {
  const hello = () => openPlugin('hello');

  it('without the auth plugin is gated', async () => {
    const plugin = hello();
    const other = recordingPlugin('other');
    const { statusOf } = await backends.start({
      withAuth: false,
      features: [plugin.feature, other.feature],
    });
    expect(await statusOf('/api/hello/x')).toBe(401);
    expect(plugin.handled).toHaveLength(0);
    const token = await other.tokenFor('hello');
    expect(await statusOf('/api/hello/x', bearer(token))).toBe(200);
  });

  it('with a root router of their own, and no error middleware, is gated', async () => {
    const plugin = hello();
    const { get } = await backends.start({
      features: [plugin.feature, ownRootRouter()],
    });
    for (const target of ['/api/hello/x', '/api/nosuchplugin/x']) {
      const { status, headers, body } = await get(target);
      expect(status).toBe(401);
      expect(headers['content-type']).toMatch('application/json');
      expect(body).not.toMatch(/at .*\.ts/);
    }
    expect(plugin.handled).toHaveLength(0);
  });

  it('with an httpRouter of their own is gated, and finds one warning in the log, with what to set', async () => {
    const plugin = hello();
    const { deps, factory } = httpRouterServiceFactory as any;
    const { logged, statusOf } = await backends.start({
      features: [
        plugin.feature,
        createServiceFactory({
          service: coreServices.httpRouter,
          deps,
          factory,
        }) as never,
      ],
      apiGate: { allow: [{ plugin: 'hello', path: '/health' }] },
    });
    expect(await statusOf('/api/hello/x')).toBe(401);
    expect(await statusOf('/api/hello/health')).toBe(200);
    expect(plugin.handled).toHaveLength(1);
    // The `auth` plugin has the same router.
    const [line, ...others] = logged('its own httpRouter service', 'warn');
    expect(line.message).toMatch(/ set ENABLE_CORE_HTTPROUTER_OVERRIDE=true$/);
    expect(others).toEqual([]);
  });

  it('whose middleware answers first gets no second answer, and loses no request', async () => {
    const { open, opened } = latch();
    const rejections: unknown[] = [];
    const onRejection = (reason: unknown) => rejections.push(reason);
    process.on('unhandledRejection', onRejection);
    const slow = recordingPlugin('slow', { init: () => opened });
    const port = await freePort();
    const starting = backends.start({
      port,
      features: [
        slow.feature,
        ownRootRouter((_req, res, next) => {
          setTimeout(() => res.headersSent || res.status(504).end(), 100);
          next();
        }),
      ],
      config: pause(300),
    });
    await untilAnswered(port, '/api/nosuchplugin/x', 401);
    expect((await rawRequest(port, '/api/slow/x')).status).toBe(504);
    await new Promise(resolve => setTimeout(resolve, 500));
    open();
    await starting;
    process.off('unhandledRejection', onRejection);
    expect(rejections).toEqual([]);
    expect(slow.handled).toHaveLength(0);
  });
});
