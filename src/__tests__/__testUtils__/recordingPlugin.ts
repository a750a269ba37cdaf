import {
  AuthService,
  coreServices,
  createBackendPlugin,
  HttpAuthService,
  HttpRouterServiceAuthPolicy,
} from '@backstage/backend-plugin-api';
import type { IncomingHttpHeaders } from 'node:http';
import express, { IRouter, Request, Response } from 'express';

/** Express 5, which newer plugins bring. Backstage mounts their routers in its app of Express 4. */
export const express5: typeof express = require('express-5');

type Express = Pick<typeof express, 'json' | 'Router'>;

/** The Express of the test plugins' routers. A test file replaces it to run its tests with Express 5. */
export const pluginExpress: Express = {
  json: express.json,
  Router: express.Router,
};

/** A request that reached a plugin's handler. */
export interface HandledRequest {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  rawHeaders: string[];
  user: unknown;
}

/** Copies the parts of a request that tests read, since the request may change later. */
export function handledRequest(req: Request): HandledRequest {
  return {
    method: req.method,
    path: req.path,
    headers: { ...req.headers },
    rawHeaders: [...req.rawHeaders],
    user: (req as { user?: unknown }).user,
  };
}

interface RecordingOptions {
  policies?: HttpRouterServiceAuthPolicy[];
  /** Default {@link pluginExpress}. */
  express?: Express;
  /** Runs within the plugin's own `init`. */
  init?: () => Promise<void> | void;
  /** Replaces the answer; the services are the plugin's own. */
  handle?: (
    req: Request,
    res: Response,
    services: { auth: AuthService; httpAuth: HttpAuthService },
  ) => unknown;
}

/** Creates a plugin that answers 200 to every request and records the requests that reached its handler. */
export function recordingPlugin(
  pluginId: string,
  options: RecordingOptions = {},
) {
  const handled: HandledRequest[] = [];
  let auth: AuthService | undefined;
  let router: IRouter | undefined;
  const feature = createBackendPlugin({
    pluginId,
    register(reg) {
      reg.registerInit({
        deps: {
          auth: coreServices.auth,
          httpAuth: coreServices.httpAuth,
          httpRouter: coreServices.httpRouter,
        },
        async init(deps) {
          auth = deps.auth;
          await options.init?.();
          for (const policy of options.policies ?? []) {
            deps.httpRouter.addAuthPolicy(policy);
          }
          const { json, Router } = options.express ?? pluginExpress;
          router = Router();
          router.use(json());
          router.use(async (req, res, next) => {
            handled.push(handledRequest(req));
            try {
              if (options.handle) {
                await options.handle(req, res, deps);
              } else {
                res.json({ plugin: pluginId });
              }
            } catch (error) {
              next(error);
            }
          });
          deps.httpRouter.use(router);
        },
      });
    },
  });
  return {
    feature,
    handled,
    /** The plugin's own `auth` service. */
    get auth(): AuthService {
      return auth!;
    },
    /** Whether the router that is mounted is Express 5's, which alone wants names of wildcards. */
    get hasExpress5(): boolean {
      try {
        router!.route('/*');
        return false;
      } catch {
        return true;
      }
    },
    /** Returns a service token of this plugin for another one. */
    async tokenFor(targetPluginId: string): Promise<string> {
      const { token } = await auth!.getPluginRequestToken({
        onBehalfOf: await auth!.getOwnServiceCredentials(),
        targetPluginId,
      });
      return token;
    },
  };
}

/** Creates such a plugin that has opened all its paths, so that only the gate stands between a request and its handler. */
export const openPlugin = (
  pluginId: string,
  options: Omit<RecordingOptions, 'policies'> = {},
) =>
  recordingPlugin(pluginId, {
    ...options,
    policies: [{ path: '/', allow: 'unauthenticated' }],
  });
