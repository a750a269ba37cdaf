import {
  coreServices,
  createBackendModule,
} from '@backstage/backend-plugin-api';
import { ConflictError } from '@backstage/errors';
import type { CookieIssuer } from './cookie/CookieIssuer';
import { authCookieIssuanceExtensionPoint } from './cookieIssuance';
import { createRevocationRouter } from './revocation/createRevocationRouter';
import { DatabaseRevocationStore } from './revocation/DatabaseRevocationStore';
import { authApiGateRevokePermission } from './revocation/permissions';
import { apiGateServiceRef } from './wiring/apiGateService';

/**
 * The part of the gate that lives in the `auth` plugin. It does not run in a backend without that plugin, so nothing that
 * keeps the gate closed is in here.
 */
export const authModuleApiGate = createBackendModule({
  pluginId: 'auth',
  moduleId: 'api-gate',
  register(reg) {
    let chosen: { moduleId: string; issuer: CookieIssuer | 'off' } | undefined;

    reg.registerExtensionPoint(authCookieIssuanceExtensionPoint, {
      setCookieIssuer(options) {
        if (chosen) {
          throw new ConflictError(
            `The modules ${chosen.moduleId} and ${options.moduleId} both set an issuer of the API gate's cookie: install one of them`,
          );
        }
        chosen = options;
      },
    });

    reg.registerInit({
      deps: {
        gate: apiGateServiceRef,
        config: coreServices.rootConfig,
        database: coreServices.database,
        httpAuth: coreServices.httpAuth,
        httpRouter: coreServices.httpRouter,
        permissions: coreServices.permissions,
        permissionsRegistry: coreServices.permissionsRegistry,
        scheduler: coreServices.scheduler,
      },
      async init({ gate, config, database, scheduler, ...services }) {
        const { httpAuth, httpRouter, permissions } = services;
        if (chosen) {
          const { issuer } = chosen;
          gate.setCookieIssuer(issuer === 'off' ? undefined : issuer);
        }

        const { revocations } = gate;
        const store = await DatabaseRevocationStore.create(database);
        await revocations.follow(store);
        await scheduler.scheduleTask({
          id: 'api-gate-expired-revocations',
          frequency: { minutes: 10 },
          timeout: { minutes: 1 },
          fn: () => store.removeExpired(),
        });

        services.permissionsRegistry.addPermissions([
          authApiGateRevokePermission,
        ]);
        httpRouter.use(
          createRevocationRouter({
            revocations,
            httpAuth,
            permissions,
            permissionEnabled:
              config.getOptionalBoolean('permission.enabled') ?? false,
          }),
        );
      },
    });
  },
});
