import {
  coreServices,
  createBackendModule,
} from '@backstage/backend-plugin-api';
import { ConflictError } from '@backstage/errors';
import type { CookieIssuer } from './cookie/CookieIssuer';
import { authCookieIssuanceExtensionPoint } from './cookie/extensionPoint';
import { createPolicyRouter } from './routes/createPolicyRouter';
import { createRevocationRouter } from './routes/createRevocationRouter';
import { createRouteAccess } from './routes/createRouteAccess';
import { DatabaseRevocationStore } from './revocation/DatabaseRevocationStore';
import {
  authApiGateReadPermission,
  authApiGateRevokePermission,
} from './routes/permissions';
import { apiGateServiceRef } from './services/apiGateService';

/**
 * The part of the gate in the `auth` plugin: the store of revocations, and the gate's own routes. It does not run in a backend
 * without that plugin, so no code that refuses requests is here.
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
        database: coreServices.database,
        httpAuth: coreServices.httpAuth,
        httpRouter: coreServices.httpRouter,
        lifecycle: coreServices.lifecycle,
        logger: coreServices.logger,
        permissions: coreServices.permissions,
        permissionsRegistry: coreServices.permissionsRegistry,
        userInfo: coreServices.userInfo,
      },
      async init({ gate, auditor, database, logger, ...services }) {
        const { httpAuth, httpRouter, permissions, userInfo } = services;
        const { audit, offlineSessions, revocations } = gate;
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
        const access = createRouteAccess({
          httpAuth,
          permissions,
          userInfo,
          operators: () => gate.source.current.config.operators,
        });
        httpRouter.use(
          createRevocationRouter({
            access,
            decodedTokens: gate.decodedTokens,
            revocations,
            signOutUser: gate.signOutUser,
            onRevoked: ({ scope, sub }, outcome) =>
              audit.revoked(auditor, { scope, userEntityRef: sub }, outcome),
          }),
        );
        httpRouter.use(
          createPolicyRouter({ access, describe: gate.describePolicy }),
        );
        // Not awaited: the route is this plugin's own, which is up once its hooks have run.
        services.lifecycle.addStartupHook(() => {
          offlineSessions
            .check()
            .catch(() =>
              logger.warn(
                'API gate could not ask the auth plugin whether it can end refresh tokens',
              ),
            );
        });
      },
    });
  },
});
