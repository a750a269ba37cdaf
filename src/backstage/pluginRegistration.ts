import { createLifecycleMiddleware } from '@backstage/backend-defaults/httpRouter';
import {
  coreServices,
  createServiceFactory,
  createServiceRef,
  DiscoveryService,
  HttpAuthService,
  LoggerService,
} from '@backstage/backend-plugin-api';
import { isError } from '@backstage/errors';
import { memoize } from 'lodash';
import { ApiGateConfig, CONFIG_KEY } from '../settings/read/readApiGateConfig';
import { check } from '../settings/read/values';
import { CachingHttpAuth } from '../gate/verify/CachingHttpAuth';
import { uninstalledPluginAuthServiceRef } from './uninstalledPluginAuth';
import { PROXY_PLUGIN } from '../gate/read/GateRequest';
import { COOKIE_PATH } from '../gate/read/requestLine';
import { RemoteRevocationStore } from '../store/revocations/RemoteRevocationStore';
import { apiGateServiceRef } from './apiGateService';
import { requireDecision } from './httpRouterService';
import { watchStart } from './watchStart';
import { isMissing } from './releaseFeatures';
import { barrierPathsFor } from '../settings/expectations/commonPrefixes';
import { watchDelegations } from './watchDelegations';

const pluginRegistrationServiceRef = createServiceRef<{}>({
  id: 'auth.apiGate.pluginRegistration',
  scope: 'plugin',
});

/** The gate's loss if a backend has its own service, and the level of that in the log. */
const LOSSES = {
  httpRouter: {
    level: 'warn',
    lost: 'the policy does not list what plugins open in code, and no second check is in front of their routes',
  },
  httpAuth: { level: 'info', lost: 'verified tokens are not remembered' },
} as const;

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
  createRootContext: ({ gate }) => createOwnServiceLog(gate.logger),
  async factory({ gate, plugin, ...services }, logOwnService) {
    const id = plugin.getId();
    const { auth, discovery, httpAuth } = services;
    const { httpRouter, lifecycle, logger } = services;
    const { config, plugins, policies, revocations, source } = gate;

    checkCredentialSettings(id, source.current.config, httpAuth, logger);
    // Without the feature, the line of the start says it.
    if (!policies.isWatched(httpRouter) && !isMissing('plugin-routers')) {
      logOwnService('httpRouter');
    }
    if (
      source.current.config.tokenCache !== undefined &&
      !(httpAuth instanceof CachingHttpAuth)
    ) {
      logOwnService('httpAuth');
    }
    if (isMissing('plugin-routers')) {
      requireDecision(httpRouter, id, gate);
    }
    // An allow rule must also open the plugin's barrier. Barrier policies are prefixes for all methods and can't be removed, so
    // add them only once the gate enforces.
    const opened = new Set<string>();
    const openBarriers = () => {
      const { openRules } = source.current;
      // Frontends sign out without a bearer token. The stock handler behind clears Backstage's own cookie.
      const paths = [COOKIE_PATH, ...barrierPathsFor(id, openRules)];
      for (const path of paths) {
        if (!opened.has(path)) {
          opened.add(path);
          policies.openBarrier(httpRouter, path);
        }
      }
    };
    source.onEnforced(() => {
      openBarriers();
      source.onReload(openBarriers);
    });

    watchDelegations(auth, gate.observer);
    plugins.register({
      ...services,
      id,
      ...watchStart(
        createLifecycleMiddleware({ config, lifecycle }),
        lifecycle,
      ),
    });

    if (!plugins.isInstalled('auth') && !revocations.isSyncing) {
      logAuthBaseUrl(discovery, logger);
      revocations.follow(
        new RemoteRevocationStore({ auth, discovery, logger }),
      );
    }
    return {};
  },
});

/**
 * Creates the log of the services that a backend has in place of the gate's. All plugins share it, and each service is logged once. The
 * line names what to set in Red Hat Developer Hub, where a dynamic plugin replaces a service only if a variable allows it.
 */
function createOwnServiceLog(logger: LoggerService) {
  return memoize((id: keyof typeof LOSSES) => {
    const { level, lost } = LOSSES[id];
    logger[level](
      `API gate decides every request, but this backend has its own ${id} service: ${lost}. In Red Hat Developer Hub, set ENABLE_CORE_${id.toUpperCase()}_OVERRIDE=true`,
    );
  });
}

/**
 * Only the gate's own `httpAuth` reads a token that `Authorization` does not hold.
 *
 * @throws InputError if a setting depends on it, which stops the start
 */
function checkCredentialSettings(
  pluginId: string,
  { credentialHeader, foreignAuthorization }: ApiGateConfig,
  httpAuth: HttpAuthService,
  logger: LoggerService,
) {
  if (httpAuth instanceof CachingHttpAuth) {
    return;
  }
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

/** Logs the address: a wrong one would show only as 503 for every user token. */
async function logAuthBaseUrl(
  discovery: DiscoveryService,
  logger: LoggerService,
) {
  const address = await discovery
    .getBaseUrl('auth')
    .catch(error => `no address (${isError(error) ? error.name : 'error'})`);
  logger.info(
    `API gate: the auth plugin is not installed in this backend. Discovery has it at ${address}: from there come the keys of users, and the sessions that have ended`,
  );
}
