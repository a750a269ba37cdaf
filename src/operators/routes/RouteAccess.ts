import type {
  BackstageCredentials,
  BackstageServicePrincipal,
  BackstageUserPrincipal,
  HttpAuthService,
  PermissionsService,
  UserInfoService,
} from '@backstage/backend-plugin-api';
import {
  ConflictError,
  isError,
  NotAllowedError,
  ServiceUnavailableError,
} from '@backstage/errors';
import {
  AuthorizeResult,
  BasicPermission,
  createPermission,
} from '@backstage/plugin-permission-common';
import type { Request } from 'express';
import type { PolicySource } from '../../settings/PolicySource';
import { userKey } from '../../gate/util/entityRef';

/**
 * Permission to read the gate's policy and its decisions. Operators and readers need it (`auth.apiGate.operators`,
 * `auth.apiGate.readers`); services do not.
 *
 * @public
 */
export const authApiGateReadPermission = createPermission({
  name: 'auth.api-gate.read',
  attributes: { action: 'read' },
});

/**
 * Permission to end all sessions of another user, and to lock that user out. Operators need it (`auth.apiGate.operators`), and so do
 * external tokens that lock users out; other services, and users for themselves, do not.
 *
 * @public
 */
export const authApiGateRevokePermission = createPermission({
  name: 'auth.api-gate.revoke',
  attributes: { action: 'update' },
});

export type Principal = BackstageUserPrincipal | BackstageServicePrincipal;

/**
 * Authorizes callers of the gate's own routes. Each method returns the caller, or throws a `NotAllowedError`.
 *
 * A stock app's policy allows every permission to everybody, so `auth.apiGate.operators` has to name a user first. Backstage
 * allows a service everything but the permissions that the access restrictions of an external token exclude; without
 * `permission.enabled`, Backstage allows users everything, and only the list of operators decides.
 */
export class RouteAccess {
  constructor(
    private readonly services: {
      httpAuth: HttpAuthService;
      permissions: PermissionsService;
      userInfo: UserInfoService;
      source: Pick<PolicySource, 'current'>;
    },
  ) {}

  /** Accepts services, if the permission allows it. */
  async assertService(req: Request, permission: BasicPermission) {
    const credentials = await this.services.httpAuth.credentials(req, {
      allow: ['service'],
    });
    await this.#requirePermission(credentials, permission);
    return credentials.principal;
  }

  /** Accepts services and operators, if the permission to read allows it. */
  async requireOperator(req: Request) {
    return this.#requireOperatorOf(
      await this.#readCaller(req),
      authApiGateReadPermission,
    );
  }

  /** Accepts services, operators and readers, if the permission to read allows it. */
  async requireReader(req: Request) {
    const credentials = await this.#readCaller(req);
    const { operators, readers } = this.services.source.current.config;
    const principal = await this.#requireOperatorOf(
      credentials,
      authApiGateReadPermission,
      new Set([...operators, ...readers]),
      'auth.apiGate.operators or auth.apiGate.readers',
    );
    return {
      /** Returns whether the caller is more than a reader. Backstage may have to look the groups of a user up for it. */
      isOperator: async () =>
        principal.type === 'service' ||
        this.#isAmong(operators, principal, credentials),
    };
  }

  /** Accepts users themselves, and services and operators if the permission to revoke allows it. */
  async requireUserOrOperator(req: Request, userEntityRef: string) {
    const credentials = await this.#readCaller(req);
    // Every user may sign out: a sign-out call needs no permission either.
    return isSelf(credentials.principal, userEntityRef)
      ? credentials.principal
      : this.#requireOperatorOf(credentials, authApiGateRevokePermission);
  }

  /**
   * Accepts operators, and services whose access restrictions name the permission to revoke. Those are external tokens: plugins
   * have none. A plugin that acts for an operator is refused too, so that no request which a plugin passes on can lock users out.
   *
   * @throws ConflictError for users who would lock themselves out
   */
  async requireLocker(req: Request, userEntityRef: string) {
    const permission = authApiGateRevokePermission;
    const credentials = await this.#readCaller(req);
    const { principal } = credentials;
    // A service without restrictions is refused here, because Backstage allows it every permission.
    const isAccepted =
      principal.type === 'user'
        ? !principal.actor
        : principal.accessRestrictions?.permissionNames?.includes(
            permission.name,
          );
    if (!isAccepted) {
      throw new NotAllowedError(
        `This is for users whom auth.apiGate.operators names, and for external tokens whose accessRestrictions name the plugin auth and the permission ${permission.name}`,
      );
    }
    await this.#requireOperatorOf(credentials, permission);
    if (isSelf(principal, userEntityRef)) {
      throw new ConflictError('Operators can not lock themselves out');
    }
    return principal;
  }

  #readCaller(req: Request) {
    return this.services.httpAuth.credentials(req, {
      allow: ['user', 'service'],
    });
  }

  async #requireOperatorOf(
    credentials: BackstageCredentials<Principal>,
    permission: BasicPermission,
    refs = this.services.source.current.config.operators,
    setting = 'auth.apiGate.operators',
  ) {
    const { principal } = credentials;
    if (
      principal.type === 'user' &&
      !(await this.#isAmong(refs, principal, credentials))
    ) {
      throw new NotAllowedError(
        `This is for services, and for users whom ${setting} names: ${principal.userEntityRef} is not among them`,
      );
    }
    await this.#requirePermission(credentials, permission);
    return principal;
  }

  async #requirePermission(
    credentials: BackstageCredentials,
    permission: BasicPermission,
  ) {
    const [{ result }] = await this.services.permissions.authorize(
      [{ permission }],
      { credentials },
    );
    if (result !== AuthorizeResult.ALLOW) {
      throw new NotAllowedError(`This needs the permission ${permission.name}`);
    }
  }

  /** Returns whether a user, or a group that the user's token has among its ownership references, is one of these. */
  async #isAmong(
    refs: ReadonlySet<string>,
    { userEntityRef }: BackstageUserPrincipal,
    credentials: BackstageCredentials,
  ): Promise<boolean> {
    const { userInfo } = this.services;
    if (refs.size === 0) {
      return false;
    }
    if (refs.has(userKey(userEntityRef))) {
      return true;
    }
    try {
      const { ownershipEntityRefs } = await userInfo.getUserInfo(credentials);
      return ownershipEntityRefs.some(ref => refs.has(userKey(ref)));
    } catch (error) {
      // Backstage has no group memberships of a user who has not signed in.
      if (isError(error) && error.statusCode === 404) {
        return false;
      }
      throw new ServiceUnavailableError(
        'The groups of the user can not be read at the moment',
      );
    }
  }
}

function isSelf(principal: Principal, userEntityRef: string): boolean {
  return (
    principal.type === 'user' &&
    userKey(principal.userEntityRef) === userKey(userEntityRef)
  );
}
