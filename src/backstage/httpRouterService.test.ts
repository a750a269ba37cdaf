import * as httpRouterModule from '@backstage/backend-defaults/httpRouter';
import {
  coreServices,
  type HttpRouterService,
} from '@backstage/backend-plugin-api';
import { ConfigReader } from '@backstage/config';
import type { Request, RequestHandler, Response } from 'express';
import type { Decision } from '../gate/Decision';
import { DeclaredPolicies } from '../gate/plugins/DeclaredPolicies';
import {
  defaultHttpRouterServiceFactory,
  gatedHttpRouterServiceFactory,
} from './httpRouterService';

// WebSocket handlers exist since backend-defaults 0.19.
const describeIfRouted =
  'createWebSocketRouter' in httpRouterModule ? describe : describe.skip;

/** Makes the `httpRouter` of a plugin, in front of Backstage's own. */
async function create(
  options: {
    pluginId?: string;
    hasWebSockets?: boolean;
    isEnforced?: boolean;
    clientAddress?: boolean;
    hasPassed?: (req: unknown, pluginId: string) => boolean;
  } = {},
) {
  const { pluginId = 'Hello', isEnforced = true } = options;
  const { clientAddress = false, hasPassed = () => false } = options;
  const used: RequestHandler[] = [];
  const atRoot: { path: string; handler: unknown }[] = [];
  const decided: unknown[][] = [];
  const webSocketGate = jest.fn(() => 'gated handler');
  const policies = new DeclaredPolicies();
  const gate = {
    decisions: { hasPassed },
    observer: { decided: (...args: unknown[]) => decided.push(args) },
    policies,
    source: {
      current: { isEnforced, config: { audit: { clientAddress } } },
    },
    webSocketGate,
  };
  const ownRouter = {
    use: (handler: RequestHandler) => used.push(handler),
    addAuthPolicy: () => {},
    ...(options.hasWebSockets && { addWebSocketHandler: () => {} }),
  };
  const auth = {};
  const { factory } = gatedHttpRouterServiceFactory as unknown as {
    factory(deps: object): Promise<HttpRouterService>;
  };
  const httpRouter = await factory({
    gate,
    auth,
    config: new ConfigReader({}),
    lifecycle: { addStartupHook: () => {}, addShutdownHook: () => {} },
    logger: {},
    plugin: { getId: () => pluginId },
    rootHttpRouter: {
      addWebSocketHandler: (added: (typeof atRoot)[0]) => atRoot.push(added),
    },
    httpRouter: ownRouter,
  });
  return { atRoot, auth, decided, httpRouter, policies, used, webSocketGate };
}

/** Sends a request to the first handler of a plugin's router. */
function send([handler]: RequestHandler[], request: Partial<Request> = {}) {
  const headers: Record<string, string> = {};
  const next = jest.fn();
  handler(
    {
      ...{ method: 'POST', path: '/a', ip: '192.0.2.1', headers: {} },
      ...request,
    } as Request,
    {
      setHeader: (name: string, value: string) => {
        headers[name] = value;
      },
    } as Response,
    next,
  );
  return { headers, next };
}

describe("Backstage's own httpRouter", () => {
  it('is made under another id, and only where it is asked for', () => {
    // The references are compared as they are: on older releases, no property `T` of theirs can be read.
    const { service, initialization } = defaultHttpRouterServiceFactory as any;
    expect(service.id).toBe('auth.apiGate.defaultHttpRouter');
    expect([service.scope, initialization]).toEqual(['plugin', 'lazy']);
    const gated = gatedHttpRouterServiceFactory as any;
    expect(gated.service).toBe(coreServices.httpRouter);
    expect(gated.initialization).toBe('always');
    expect(gated.deps.httpRouter).toBe(service);
  });
});

describe('in front of the routes of a plugin', () => {
  it('a request that the gate has passed goes on', async () => {
    const hasPassed = jest.fn(() => true);
    const { decided, used } = await create({ hasPassed });
    const { headers, next } = send(used);
    expect(next.mock.calls).toEqual([[]]);
    expect(headers).toEqual({});
    expect(decided).toEqual([]);
    expect(hasPassed).toHaveBeenCalledWith(
      expect.objectContaining({ path: '/a' }),
      'Hello',
    );
  });

  it('any request goes on in report-only', async () => {
    const { decided, used } = await create({ isEnforced: false });
    expect(send(used).next.mock.calls).toEqual([[]]);
    expect(decided).toEqual([]);
  });

  it('any other request is refused', async () => {
    const { decided, used } = await create();
    const { headers, next } = send(used);
    const error = expect.objectContaining({
      name: 'AuthenticationError',
      message: 'Missing credentials',
    });
    expect(next.mock.calls).toEqual([[error]]);
    expect(headers).toEqual({
      'WWW-Authenticate': 'Bearer realm="Backstage"',
      'Api-Gate-Decision': expect.stringMatching(/^[0-9a-f]{16}$/),
    });
    const decision: Decision = {
      plugin: 'hello',
      outcome: 'refused',
      reason: 'missing-credentials',
      credential: 'none',
      id: headers['Api-Gate-Decision'],
    };
    expect(decided).toStrictEqual([
      [
        { method: 'POST', reportedPath: '/a', userAgent: undefined },
        decision,
        next.mock.calls[0][0],
      ],
    ]);
  });

  it("the refusal has the client's address where the audit wants it", async () => {
    const { decided, used } = await create({ clientAddress: true });
    send(used);
    expect(decided).toMatchObject([[{}, { clientAddress: '192.0.2.1' }, {}]]);
  });

  it('of the frontend, every request goes on', async () => {
    const { used } = await create({ pluginId: 'app' });
    expect(used).toEqual([]);
  });
});

describe('the httpRouter of a plugin', () => {
  it('is watched', async () => {
    const { httpRouter, policies } = await create();
    expect(policies.isWatched(httpRouter)).toBe(true);
    httpRouter.addAuthPolicy({ path: '/a', allow: 'unauthenticated' });
    expect(policies.isPublic('hello', '/a', false)).toBe(true);
  });

  it('has WebSocket handlers where the release has them', async () => {
    const { httpRouter } = await create();
    expect(httpRouter).not.toHaveProperty('addWebSocketHandler');
  });
});

describeIfRouted('a WebSocket handler of a plugin', () => {
  it('is behind the gate', async () => {
    const { atRoot, auth, httpRouter, webSocketGate } = await create({
      hasWebSockets: true,
    });
    const declared = { path: '/live', handler: () => {} };
    httpRouter.addWebSocketHandler(declared);
    expect(atRoot).toEqual([
      { path: '/api/Hello/live', handler: 'gated handler' },
    ]);
    expect(webSocketGate).toHaveBeenCalledWith({
      pluginId: 'Hello',
      auth,
      declared,
      backstageHandler: expect.any(Function),
    });
  });
});
