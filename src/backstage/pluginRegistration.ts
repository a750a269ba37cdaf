import { createLifecycleMiddleware } from '@backstage/backend-defaults/httpRouter';
import {
  coreServices,
  createServiceFactory,
  createServiceRef,
  LifecycleService,
  LoggerService,
  RootConfigService,
} from '@backstage/backend-plugin-api';
import { isError } from '@backstage/errors';
import type { Request, Response } from 'express';
import { memoize } from 'lodash';
import { ApiGateConfig, CONFIG_KEY } from '../settings/read/readApiGateConfig';
import { check } from '../settings/read/values';
import { AuthDecorator } from '../gate/verify/AuthDecorator';
import { readsBoundTokens } from './httpAuthService';
import { uninstalledPluginAuthServiceRef } from './uninstalledPluginAuth';
import { PROXY_PLUGIN } from '../gate/read/GateRequest';
import { COOKIE_PATH } from '../gate/read/requestLine';
import { RemoteRevocationStore } from '../store/revocations/RemoteRevocationStore';
import { apiGateServiceRef } from './apiGateService';
import type { GateParts } from './createParts';
import { barrierPathsFor } from '../settings/rules/commonPrefixes';

const pluginRegistrationServiceRef = createServiceRef<{}>({
  id: 'auth.apiGate.pluginRegistration',
  scope: 'plugin',
});

/**
 * Hands each plugin's own services to the gate before the plugin's `init` runs. A service token is valid for one plugin,
 * and an external token's access restrictions are judged per plugin, so no single instance can verify for all.
 */
export const pluginRegistrationServiceFactory = createServiceFactory({
  service: pluginRegistrationServiceRef,
  initialization: 'always',
  deps: {
    gate: apiGateServiceRef,
    uninstalledPluginAuth: uninstalledPluginAuthServiceRef,
    auditor: coreServices.auditor,
    auth: coreServices.auth,
    discovery: coreServices.discovery,
    httpAuth: coreServices.httpAuth,
    httpRouter: coreServices.httpRouter,
    lifecycle: coreServices.lifecycle,
    logger: coreServices.logger,
    plugin: coreServices.pluginMetadata,
  },
  // All plugins share the log of the services that a backend has in place of the gate's, and each service is logged once. The line names
  // what to set in Red Hat Developer Hub, where a dynamic plugin replaces a service only if a variable allows it.
  createRootContext: ({ gate }) =>
    memoize((id: string, level: 'info' | 'warn', lost: string) => {
      gate.logger[level](
        `API gate decides every request, but this backend has its own ${id} service: ${lost}. In Red Hat Developer Hub, set ENABLE_CORE_${id.toUpperCase()}_OVERRIDE=true`,
      );
    }),
  async factory({ gate, plugin, ...services }, logOwnService) {
    const id = plugin.getId();
    const { auth, httpAuth } = services;
    const { httpRouter, lifecycle, logger } = services;
    const { config, plugins, policies, revocations, source } = gate;

    if (!readsBoundTokens(httpAuth)) {
      checkCredentialSettings(id, source.current.config, logger);
      logOwnService('httpAuth', 'info', 'it reads no credential header');
    }
    if (!(auth instanceof AuthDecorator)) {
      logOwnService(
        'auth',
        'warn',
        'where a handler of a public path verifies a token itself, that of a session which has ended is accepted',
      );
    }
    if (!policies.isWatched(httpRouter)) {
      logOwnService(
        'httpRouter',
        'warn',
        'the policy does not list what plugins open in code, and no second check is in front of their routes',
      );
    }
    // An allow rule must also open the plugin's barrier. Barrier policies are prefixes for all methods and can't be removed, so
    // add them only once the gate enforces.
    const openOnce = memoize((path: string) =>
      policies.openBarrier(httpRouter, path),
    );
    const openBarriers = () => {
      const { openRules } = source.current;
      // Frontends sign out without a bearer token. The stock handler behind clears Backstage's own cookie.
      for (const path of [COOKIE_PATH, ...barrierPathsFor(id, openRules)]) {
        openOnce(path);
      }
    };
    source.onEnforced(() => {
      openBarriers();
      source.onReload(openBarriers);
    });

    plugins.register({
      ...services,
      ...watchStart(config, lifecycle),
      id,
      readsBoundTokens: readsBoundTokens(httpAuth),
      verifier:
        auth instanceof AuthDecorator
          ? auth.verifier
          : gate.tokens.verifierFor(auth, id),
    });

    if (!plugins.isInstalled('auth') && !revocations.isSyncing) {
      followAuthPlugin(gate, services);
    }
    return {};
  },
});

/** Follows the sessions that have ended in the backend that has the `auth` plugin, and logs the address of that backend. */
function followAuthPlugin(
  { logger, revocations }: Pick<GateParts, 'logger' | 'revocations'>,
  services: ConstructorParameters<typeof RemoteRevocationStore>[0],
) {
  // A wrong address would show only as 503 for every user token.
  services.discovery
    .getBaseUrl('auth')
    .catch(error => `no address (${isError(error) ? error.name : 'error'})`)
    .then(address =>
      logger.info(
        `API gate: the auth plugin is not installed in this backend. Discovery has it at ${address}: from there come the keys of users, and the sessions that have ended`,
      ),
    );
  revocations.follow(new RemoteRevocationStore(services));
}

/** Watches the start of a plugin by Backstage's own middleware, which lets requests wait for it. */
export function watchStart(
  config: RootConfigService,
  lifecycle: LifecycleService,
) {
  const middleware = createLifecycleMiddleware({ config, lifecycle });
  let isUp = false;
  lifecycle.addShutdownHook(() => {
    isUp = false;
  });
  return {
    isUp: () => isUp,
    async started() {
      await new Promise<void>((resolve, reject) => {
        middleware({} as Request, {} as Response, error =>
          error ? reject(error) : resolve(),
        );
      });
      // Only now: a pipelined request that needs not wait would overtake the one before it.
      isUp = true;
    },
  };
}

/**
 * Checks the settings of a plugin with an `httpAuth` of its own. Only the gate's reads a token that `Authorization` does not hold.
 *
 * @throws InputError if a setting depends on it, which stops the start
 */
function checkCredentialSettings(
  pluginId: string,
  { credentialHeader, foreignAuthorization }: ApiGateConfig,
  logger: LoggerService,
) {
  check(
    foreignAuthorization.every(({ plugin }) => plugin !== pluginId),
    `${CONFIG_KEY}.foreignAuthorization needs the httpAuth service of the gate, and this backend has its own for the plugin ${pluginId}: remove that service, or the setting`,
  );
  if (credentialHeader) {
    logger.info(
      `API gate: this backend has its own httpAuth service for the plugin ${pluginId}. A token in ${credentialHeader} ${pluginId === PROXY_PLUGIN ? 'opens none' : 'replaces the Authorization'} of its requests`,
    );
  }
}
