import {
  AuthService,
  coreServices,
  createBackendModule,
  DiscoveryService,
  HttpAuthService,
  HttpRouterService,
  PermissionsService,
  UserInfoService,
} from '@backstage/backend-plugin-api';
import { ConflictError } from '@backstage/errors';
import {
  AuthCookieIssuanceExtensionPoint,
  authCookieIssuanceExtensionPoint,
} from './cookie/extensionPoint';
import { createPolicyRouter } from './routes/createPolicyRouter';
import { createUserLookup } from './routes/createUserLookup';
import { createRevocationRouter } from './routes/createRevocationRouter';
import {
  RouteAccess,
  authApiGateReadPermission,
  authApiGateRevokePermission,
} from './routes/RouteAccess';
import { DatabaseRevocationStore } from './revocation/DatabaseRevocationStore';
import { UserLocks } from './revocation/UserLocks';
import { apiGateServiceRef } from './services/apiGateService';
import type { GateParts } from './services/createParts';
import { GateDatabase } from './util/GateDatabase';

type IssuerChoice = Parameters<
  AuthCookieIssuanceExtensionPoint['setCookieIssuer']
>[0];

/** Keeps the issuer that another module sets, until the gate can be reached. */
class CookieIssuance implements AuthCookieIssuanceExtensionPoint {
  #chosen: IssuerChoice | undefined;

  // An arrow function, because a module may call it without the extension point.
  readonly setCookieIssuer = (choice: IssuerChoice): void => {
    if (this.#chosen) {
      throw new ConflictError(
        `The modules ${this.#chosen.moduleId} and ${choice.moduleId} both set an issuer of the API gate's cookie: install one of them`,
      );
    }
    this.#chosen = choice;
  };

  applyTo(gate: Pick<GateParts, 'setCookieIssuer'>): void {
    if (this.#chosen) {
      const { issuer } = this.#chosen;
      gate.setCookieIssuer(issuer === 'off' ? undefined : issuer);
    }
  }
}

/**
 * The part of the gate in the `auth` plugin: the store of revocations, and the gate's own routes. It does not run in a backend
 * without that plugin, so no code that refuses requests is here.
 */
export const authModuleApiGate = createBackendModule({
  pluginId: 'auth',
  moduleId: 'api-gate',
  register(reg) {
    const issuance = new CookieIssuance();
    reg.registerExtensionPoint(authCookieIssuanceExtensionPoint, issuance);

    reg.registerInit({
      deps: {
        gate: apiGateServiceRef,
        auth: coreServices.auth,
        database: coreServices.database,
        discovery: coreServices.discovery,
        httpAuth: coreServices.httpAuth,
        httpRouter: coreServices.httpRouter,
        lifecycle: coreServices.lifecycle,
        logger: coreServices.logger,
        permissions: coreServices.permissions,
        permissionsRegistry: coreServices.permissionsRegistry,
        rootLifecycle: coreServices.rootLifecycle,
        userInfo: coreServices.userInfo,
      },
      async init({ gate, database, logger, rootLifecycle, ...services }) {
        const { offlineSessions, revocations } = gate;
        issuance.applyTo(gate);
        const gateDatabase = await GateDatabase.open(database, logger);
        const store = await DatabaseRevocationStore.create(gateDatabase);
        await revocations.follow(store);
        await gate.usage.follow(gateDatabase);
        // The hooks of plugins run before those of the root, when Backstage closes its connections to databases, too.
        services.lifecycle.addShutdownHook(() => gate.usage.stop());
        rootLifecycle.addShutdownHook(() => gateDatabase.close());

        services.permissionsRegistry.addPermissions([
          authApiGateReadPermission,
          authApiGateRevokePermission,
        ]);
        addRoutes({ ...services, gate, gateDatabase, store });
        // The hook does not wait for the check: the route that it calls is this plugin's own, which is up once the hooks have run.
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

/** Adds the gate's own routes to the `auth` plugin. */
function addRoutes(services: {
  auth: AuthService;
  discovery: DiscoveryService;
  gate: GateParts;
  gateDatabase: GateDatabase;
  httpAuth: HttpAuthService;
  httpRouter: HttpRouterService;
  permissions: PermissionsService;
  store: DatabaseRevocationStore;
  userInfo: UserInfoService;
}): void {
  const { gate, gateDatabase, httpRouter, store } = services;
  const { audit, revocations, signOutUser, source, tokens } = gate;
  const access = new RouteAccess({
    ...services,
    operators: () => source.current.config.operators,
    readers: () => source.current.config.readers,
  });
  httpRouter.use(
    createRevocationRouter({
      access,
      tokens,
      revocations,
      signOutUser,
      locks: new UserLocks({ store, revocations }),
      lookUpUser: createUserLookup({ ...services, database: gateDatabase }),
      onRevoked: (revocation, outcome) => audit.revoked(revocation, outcome),
    }),
  );
  const { config, describePolicyWithFiles: describe, explain } = gate;
  httpRouter.use(createPolicyRouter({ access, config, describe, explain }));
}
