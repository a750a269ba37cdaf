import {
  coreServices,
  createBackendModule,
  createExtensionPoint,
} from '@backstage/backend-plugin-api';
import { ConflictError } from '@backstage/errors';
import type { CookieIssuer } from '../gate/cookie/CookieIssuer';
import { createPolicyRouter } from '../operators/routes/createPolicyRouter';
import { createRevocationRouter } from '../operators/routes/createRevocationRouter';
import {
  RouteAccess,
  authApiGateReadPermission,
  authApiGateRevokePermission,
} from '../operators/routes/RouteAccess';
import { DatabaseRevocationStore } from '../store/revocations/DatabaseRevocationStore';
import { apiGateServiceRef } from './apiGateService';
import { GateDatabase } from '../store/GateDatabase';

/**
 * Lets a module of the `auth` plugin replace the issuer of the gate's cookie, or turn issuing off. The issuer does not affect
 * which requests pass the gate.
 *
 * @public
 */
export interface AuthCookieIssuanceExtensionPoint {
  /**
   * Sets the issuer; `issuer: 'off'` issues no cookie.
   *
   * @param options.moduleId - the id of the calling module, for the error below
   * @throws Error that names both modules if another one has set an issuer before
   */
  setCookieIssuer(options: {
    moduleId: string;
    issuer: CookieIssuer | 'off';
  }): void;
}

/**
 * The extension point of {@link AuthCookieIssuanceExtensionPoint}.
 *
 * @public
 */
export const authCookieIssuanceExtensionPoint =
  createExtensionPoint<AuthCookieIssuanceExtensionPoint>({
    id: 'auth.apiGate.cookieIssuance',
  });

const deps = {
  gate: apiGateServiceRef,
  database: coreServices.database,
  httpAuth: coreServices.httpAuth,
  httpRouter: coreServices.httpRouter,
  lifecycle: coreServices.lifecycle,
  logger: coreServices.logger,
  permissions: coreServices.permissions,
  permissionsRegistry: coreServices.permissionsRegistry,
  userInfo: coreServices.userInfo,
};

/**
 * The part of the gate in the `auth` plugin: the store of revocations, and the gate's own routes. It does not run in a backend
 * without that plugin, so no code that refuses requests is here.
 */
export const authModuleApiGate = createBackendModule({
  pluginId: 'auth',
  moduleId: 'api-gate',
  register(reg) {
    // The issuer that another module sets is kept until the gate can be reached.
    let chosen: { moduleId: string; issuer: CookieIssuer | 'off' } | undefined;
    reg.registerExtensionPoint(authCookieIssuanceExtensionPoint, {
      setCookieIssuer(choice) {
        if (chosen) {
          throw new ConflictError(
            `The modules ${chosen.moduleId} and ${choice.moduleId} both set an issuer of the API gate's cookie: install one of them`,
          );
        }
        chosen = choice;
      },
    });

    reg.registerInit({
      deps,
      async init({ database: pluginDatabase, ...services }) {
        const { gate, httpRouter, lifecycle, logger } = services;
        if (chosen) {
          const { issuer } = chosen;
          gate.setCookieIssuer(issuer === 'off' ? undefined : issuer);
        }
        const database = await GateDatabase.open(pluginDatabase);
        const store = await DatabaseRevocationStore.create(database);
        await gate.revocations.follow(store);

        services.permissionsRegistry.addPermissions([
          authApiGateReadPermission,
          authApiGateRevokePermission,
        ]);
        const access = new RouteAccess({ ...services, source: gate.source });
        httpRouter.use(createRevocationRouter({ ...gate, access }));
        const { config, readReport } = gate;
        httpRouter.use(createPolicyRouter({ access, config, readReport }));
        // The hook does not wait for the check: the route that it calls is this plugin's own, which is up once the hooks have run.
        lifecycle.addStartupHook(() => {
          gate.offlineSessions
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
