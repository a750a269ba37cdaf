import {
  createWebSocketRouter,
  httpRouterServiceFactory,
} from '@backstage/backend-defaults/httpRouter';
import {
  coreServices,
  createServiceFactory,
  createServiceRef,
  HttpRouterService,
  RootHttpRouterServiceWebSocketHandler,
  ServiceFactory,
} from '@backstage/backend-plugin-api';
import type { Request, RequestHandler, Response } from 'express';
import { createDecisionId } from '../decision/Decision';
import { Refusal } from '../decision/Refusal';
import { setRefusalHeaders } from '../gate/answer';
import { expressPath } from '../http/requestLine';
import { apiGateServiceRef } from './apiGateService';
import type { GateParts } from './createParts';

const defaultHttpRouterServiceRef = createServiceRef<HttpRouterService>({
  id: 'auth.apiGate.defaultHttpRouter',
  scope: 'plugin',
});

/**
 * Backstage's own `httpRouter` under a name of ours. `lazy`: an app that brings its own never makes this one, whose mount
 * would conflict with the other.
 */
export const defaultHttpRouterServiceFactory = {
  ...httpRouterServiceFactory,
  service: defaultHttpRouterServiceRef,
  initialization: 'lazy',
} as ServiceFactory;

/**
 * Backstage's own `httpRouter`, watched: the gate records what plugins open themselves, and checks its decision once more in front
 * of each plugin's routes.
 */
export const gatedHttpRouterServiceFactory = createServiceFactory({
  service: coreServices.httpRouter,
  initialization: 'always',
  deps: {
    gate: apiGateServiceRef,
    auth: coreServices.auth,
    config: coreServices.rootConfig,
    lifecycle: coreServices.lifecycle,
    logger: coreServices.logger,
    plugin: coreServices.pluginMetadata,
    rootHttpRouter: coreServices.rootHttpRouter,
    httpRouter: defaultHttpRouterServiceRef,
  },
  factory({ gate, plugin, httpRouter, ...services }) {
    const pluginId = plugin.getId();
    // The root router serves the frontend a second time, at `/`.
    if (pluginId !== 'app') {
      httpRouter.use(requireGateDecision(pluginId, gate));
    }
    const { policies, webSocketGate } = gate;
    return policies.watch(pluginId, {
      ...httpRouter,
      // Goes in October 2027: releases before November 2026 have no WebSocket handlers.
      ...('addWebSocketHandler' in httpRouter && {
        addWebSocketHandler: createAddWebSocketHandler({
          ...services,
          pluginId,
          webSocketGate,
        }),
      }),
    });
  },
});

/**
 * Refuses what the gate has not passed, so that no other mount of a plugin's router leads around it. In report-only, only a user who is
 * locked out, or has signed out, is refused.
 */
function requireGateDecision(
  pluginId: string,
  { decisions, findUndecidedOrder, observer, source }: GateParts,
): RequestHandler {
  const refuse = (req: Request, res: Response, refusal: Refusal): void => {
    const id = createDecisionId();
    const { audit } = source.current.config;
    observer.decided(
      { method: req.method, reportedPath: expressPath(req) },
      {
        plugin: pluginId.toLowerCase(),
        outcome: 'refused',
        reason: refusal.reason,
        credential: 'none',
        id,
        ...(refusal.subject && { subject: refusal.subject }),
        ...(audit.clientAddress && { clientAddress: req.ip }),
      },
      refusal.error,
    );
    setRefusalHeaders(res, refusal, id);
  };
  return (req, res, next) => {
    if (decisions.hasPassed(req, pluginId)) {
      next();
      return;
    }
    const end = (refusal: Refusal | undefined): void => {
      if (refusal) {
        refuse(req, res, refusal);
      }
      next(refusal?.error);
    };
    if (source.current.isEnforced) {
      end(Refusal.because('missing-credentials'));
    } else if (decisions.get(req)?.plugin === pluginId.toLowerCase()) {
      // The gate has looked up the tokens.
      next();
    } else {
      findUndecidedOrder(req, pluginId)
        .catch(() => Refusal.because('failed'))
        .then(end);
    }
  };
}

/**
 * Makes a plugin's `addWebSocketHandler` with the gate in front of each handler. Backstage's own handler, which authenticates as the
 * plugin has declared, is the fallback in report-only.
 */
function createAddWebSocketHandler(
  options: Parameters<typeof createWebSocketRouter>[0] &
    Pick<GateParts, 'webSocketGate'>,
): HttpRouterService['addWebSocketHandler'] {
  const { auth, pluginId, rootHttpRouter, webSocketGate } = options;
  let backstageHandler!: RootHttpRouterServiceWebSocketHandler;
  const registerWithBackstage = createWebSocketRouter({
    ...options,
    rootHttpRouter: {
      use: () => {},
      addWebSocketHandler: handler => {
        backstageHandler = handler;
      },
    },
  });
  return declared => {
    registerWithBackstage(declared);
    rootHttpRouter.addWebSocketHandler({
      path: backstageHandler.path,
      handler: webSocketGate({
        pluginId,
        auth,
        declared,
        backstageHandler: backstageHandler.handler,
      }),
    });
  };
}
