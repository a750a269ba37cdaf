import type { IncomingMessage } from 'node:http';
import * as auth from '@backstage/backend-defaults/auth';
import { DefaultHttpAuthService } from '@backstage/backend-defaults/httpAuth';
import * as httpRouter from '@backstage/backend-defaults/httpRouter';
import {
  coreServices,
  createServiceFactory,
  HttpRouterService,
} from '@backstage/backend-plugin-api';
import type { Request } from 'express';
import { createPolicy } from '../../../../src/__tests__/__testUtils__/createPolicy';
import { apiGateServiceRef } from '../../../../src/backstage/apiGateService';
import { uninstalledPluginAuthServiceRef } from '../../../../src/backstage/uninstalledPluginAuth';
import { Refusal } from '../../../../src/gate/Refusal';
import { readUpgradeTarget } from '../../../../src/gate/read/mountedRequest';
import {
  isWebSocketUpgrade,
  pathBelowPlugin,
  requestMethod,
} from '../../../../src/gate/read/requestLine';
import { classifyRoute } from '../../../../src/gate/rules/classifyRoute';
import { readAllowRules } from '../../../../src/settings/read/readAllowRules';
import { RULES } from './scene';
import type { AuthPolicyDecider } from './seams';

// `@backstage/backend-defaults` is the patched copy here. What is imported from `src` uses the package of the main install.
const { DefaultAuthService, authPolicyDeciderServiceRef } = {
  ...auth,
  ...httpRouter,
} as unknown as typeof import('./seams');

/** The services of the copy. A backend without them has those of the main install. */
export const PATCHED = [
  auth.authServiceFactory,
  httpRouter.httpRouterServiceFactory,
];

/**
 * Verifies tokens for plugins that are not installed by the first seam, in place of the gate's own service. The gate would keep its cache
 * and its limit.
 *
 * @param created - gets the id of each plugin for which a service was made
 */
export const uninstalledPluginAuthBySeam = (created: string[]) =>
  createServiceFactory({
    service: uninstalledPluginAuthServiceRef,
    deps: {
      config: coreServices.rootConfig,
      database: coreServices.database,
      discovery: coreServices.discovery,
      logger: coreServices.logger,
    },
    factory: services => async pluginId => {
      created.push(pluginId);
      const { discovery } = services;
      return DefaultHttpAuthService.create({
        auth: await DefaultAuthService.create({ ...services, pluginId }),
        discovery,
        pluginId,
      });
    },
  });

export const policy = createPolicy({ allow: readAllowRules(RULES, 'allow') });

function isPublic(pluginId: string, request: IncomingMessage): boolean {
  const mounted = isWebSocketUpgrade(request)
    ? readUpgradeTarget(request.url!)
    : (request as Request);
  const route = {
    pluginId,
    method: requestMethod(request),
    path: mounted && pathBelowPlugin(mounted, pluginId),
    isInstalled: true,
  };
  return classifyRoute(route, policy, Date.now()) !== 'protected';
}

/**
 * Has the second seam decide by the allow rules alone, in a backend without the gate.
 *
 * @param declared - gets what plugins declare
 */
export const allowRulesBySeam = (declared: unknown[]) =>
  createServiceFactory({
    service: authPolicyDeciderServiceRef,
    deps: {},
    factory: (): AuthPolicyDecider => ({
      declared: each => void declared.push(each),
      decide: ({ pluginId, request }) =>
        isPublic(pluginId, request) ? 'unauthenticated' : 'authenticated',
    }),
  });

/** Has the second seam carry out what the gate in front has decided. */
export const gateBySeam = createServiceFactory({
  service: authPolicyDeciderServiceRef,
  deps: { gate: apiGateServiceRef },
  factory({ gate }): AuthPolicyDecider {
    const { decisions, policies } = gate;
    policies.openBarrier = () => {};
    const stub = { use() {}, addAuthPolicy() {}, addWebSocketHandler() {} };
    const recorders = new Map<string, HttpRouterService>();
    return {
      declared({ pluginId, path, allow }) {
        const recorder =
          recorders.get(pluginId) ?? policies.watch(pluginId, stub);
        recorders.set(pluginId, recorder);
        recorder.addAuthPolicy({ path, allow });
      },
      decide({ pluginId, request, declared }) {
        if (!decisions.hasPassed(request, pluginId)) {
          throw Refusal.because('missing-credentials').error;
        }
        if (decisions.get(request)!.credential === 'none') {
          return 'unauthenticated';
        }
        return declared === 'user-cookie' ? declared : 'authenticated';
      },
    };
  },
});
