import { createLifecycleMiddleware } from '@backstage/backend-defaults/httpRouter';
import {
  coreServices,
  createServiceFactory,
  createServiceRef,
  DiscoveryService,
  LifecycleService,
  LoggerService,
  RootConfigService,
} from '@backstage/backend-plugin-api';
import { isError } from '@backstage/errors';
import type { Request, Response } from 'express';
import { CachingHttpAuth } from '../credentials/CachingHttpAuth';
import { uninstalledPluginAuthServiceRef } from '../credentials/uninstalledPluginAuth';
import type { RegisteredPlugin } from '../plugins/Plugins';
import { COOKIE_PATH } from '../http/backstagePaths';
import { RemoteRevocationStore } from '../revocation/RemoteRevocationStore';
import { apiGateServiceRef } from './apiGateService';
import { barrierPathsFor } from '../policy/commonPrefixes';

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
    config: coreServices.rootConfig,
    discovery: coreServices.discovery,
    httpAuth: coreServices.httpAuth,
    httpRouter: coreServices.httpRouter,
    lifecycle: coreServices.lifecycle,
    logger: coreServices.logger,
    plugin: coreServices.pluginMetadata,
  },
  factory({ gate, plugin, ...services }) {
    const id = plugin.getId();
    const { auth, config, discovery, httpAuth } = services;
    const { httpRouter, lifecycle, logger } = services;
    const { plugins, policies, revocations, source } = gate;

    if (!policies.isWatched(httpRouter)) {
      logger.warn(
        `API gate does not know what the plugin ${id} opens itself, since this backend has its own httpRouter service`,
      );
    }
    if (
      source.current.config.tokenCache &&
      !(httpAuth instanceof CachingHttpAuth)
    ) {
      logger.info(
        `API gate remembers no verified tokens for the plugin ${id}, since this backend has its own httpAuth service`,
      );
    }
    // An allow rule opens the plugin's barrier too. Its policies are prefixes for all methods, and many rules share some:
    // what no rule names, the gate refuses before. So they are opened only while it refuses, and can't be closed again.
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

    const started = createStarted(config, lifecycle);
    plugins.register({ ...services, id, started });

    if (!plugins.isInstalled('auth') && !revocations.isSyncing) {
      logAuthBaseUrl(discovery, logger);
      revocations.follow(
        new RemoteRevocationStore({ auth, discovery, logger }),
      );
    }
    return {};
  },
});

/** A wrong address is otherwise told by nothing but the 503 of every user token. */
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

/** Waits for a plugin as Backstage's `httpRouter` does: `backend.lifecycle.startupRequestPauseTimeout`, 5 s by default. */
function createStarted(
  config: RootConfigService,
  lifecycle: LifecycleService,
): RegisteredPlugin['started'] {
  const middleware = createLifecycleMiddleware({ config, lifecycle });
  let isUp = false;
  lifecycle.addShutdownHook(() => {
    isUp = false;
  });
  return () =>
    isUp
      ? undefined
      : new Promise<void>((resolve, reject) => {
          middleware({} as Request, {} as Response, error => {
            isUp = !error;
            return error ? reject(error) : resolve();
          });
        });
}
