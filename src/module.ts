import {
  coreServices,
  createBackendModule,
} from '@backstage/backend-plugin-api';
import { ConflictError } from '@backstage/errors';
import type { CookieIssuer } from './cookie/CookieIssuer';
import { authCookieIssuanceExtensionPoint } from './cookie/extensionPoint';
import { createPolicyRouter } from './routes/createPolicyRouter';
import { createRevocationRouter } from './routes/createRevocationRouter';
import { DatabaseRevocationStore } from './revocation/DatabaseRevocationStore';
import {
  authApiGateReadPermission,
  authApiGateRevokePermission,
} from './routes/permissions';
import { apiGateServiceRef } from './services/apiGateService';

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
        auditor: coreServices.auditor,
        config: coreServices.rootConfig,
        database: coreServices.database,
        httpAuth: coreServices.httpAuth,
        httpRouter: coreServices.httpRouter,
        permissions: coreServices.permissions,
        permissionsRegistry: coreServices.permissionsRegistry,
        logger: coreServices.logger,
      },
      async init({ gate, auditor, config, database, logger, ...services }) {
        const { httpAuth, httpRouter, permissions } = services;
        const { audit, revocations } = gate;
        const permissionEnabled =
          config.getOptionalBoolean('permission.enabled') ?? false;
        if (chosen) {
          const { issuer } = chosen;
          gate.setCookieIssuer(issuer === 'off' ? undefined : issuer);
        }

        await revocations.follow(
          await DatabaseRevocationStore.create(database, logger),
        );

        services.permissionsRegistry.addPermissions([
          authApiGateReadPermission,
          authApiGateRevokePermission,
        ]);
        httpRouter.use(
          createRevocationRouter({
            revocations,
            httpAuth,
            permissions,
            permissionEnabled,
            onRevoked: ({ scope, sub }, error) =>
              audit.record(
                auditor,
                'api-gate-revocation',
                'high',
                { scope, userEntityRef: sub },
                error,
              ),
          }),
        );
        httpRouter.use(
          createPolicyRouter({
            describe: gate.describePolicy,
            httpAuth,
            permissions,
            permissionEnabled,
          }),
        );
      },
    });
  },
});
