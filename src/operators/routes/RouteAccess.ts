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
import { userKey } from '../../gate/sessions/Revocation';

/**
 * Permission to read the gate's policy and its decisions. Operators need it (`auth.apiGate.operators`); services do not.
 *
 * @public
 */
export const authApiGateReadPermission = createPermission({
  name: 'auth.api-gate.read',
  attributes: { action: 'read' },
});

/**
 * Permission to end all sessions of another user. Operators need it (`auth.apiGate.operators`), and so do external tokens that end those
 * of the next hours, too; other services, and users for themselves, do not.
 *
 * @public
 */
export const authApiGateRevokePermission = createPermission({
  name: 'auth.api-gate.revoke',
  attributes: { action: 'update' },
});

export type Principal = BackstageUserPrincipal | BackstageServicePrincipal;

type Caller = BackstageCredentials<Principal>;

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

  async assertService(req: Request, permission: BasicPermission) {
    const caller = await this.services.httpAuth.credentials(req, {
      allow: ['service'],
    });
    return this.#require(permission, caller);
  }

  /** Accepts services and operators, if the permission to read allows it. */
  async requireOperator(req: Request) {
    const caller = await this.#readCaller(req);
    return this.#require(authApiGateReadPermission, caller);
  }

  /** Accepts users themselves, and services and operators if the permission to revoke allows it. */
  async requireUserOrOperator(req: Request, userEntityRef: string) {
    const caller = await this.#readCaller(req);
    // Every user may sign out: a sign-out call needs no permission either.
    return isSelf(caller.principal, userEntityRef)
      ? caller.principal
      : this.#require(authApiGateRevokePermission, caller);
  }

  /**
   * Accepts operators, and services whose access restrictions name the permission to revoke. Those are external tokens: plugins
   * have none. A plugin that acts for an operator is refused too, so that no request which a plugin passes on can keep users out.
   *
   * @throws ConflictError for users who would keep themselves out
   */
  async requireOffboarder(req: Request, userEntityRef: string) {
    const permission = authApiGateRevokePermission;
    const caller = await this.#readCaller(req);
    const { principal } = caller;
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
    await this.#require(permission, caller);
    if (isSelf(principal, userEntityRef)) {
      throw new ConflictError(
        'Operators can not refuse their own next sign-ins: leave out until',
      );
    }
    return principal;
  }

  #readCaller(req: Request) {
    return this.services.httpAuth.credentials(req, {
      allow: ['user', 'service'],
    });
  }

  async #require(permission: BasicPermission, caller: Caller) {
    const { principal } = caller;
    if (!(await this.#isOperator(caller))) {
      throw new NotAllowedError(
        `This is for services, and for users whom auth.apiGate.operators names: ${nameOf(principal)} is not among them`,
      );
    }
    const [{ result }] = await this.services.permissions.authorize(
      [{ permission }],
      { credentials: caller },
    );
    if (result !== AuthorizeResult.ALLOW) {
      throw new NotAllowedError(`This needs the permission ${permission.name}`);
    }
    return principal;
  }

  /** Returns whether a caller is a service, or a user whom `operators` names, directly or by an ownership reference of Backstage's user info. */
  async #isOperator(caller: Caller): Promise<boolean> {
    const { principal } = caller;
    const { source, userInfo } = this.services;
    const { operators } = source.current.config;
    if (
      principal.type === 'service' ||
      operators.has(userKey(nameOf(principal)))
    ) {
      return true;
    }
    if (operators.size === 0) {
      return false;
    }
    try {
      const { ownershipEntityRefs } = await userInfo.getUserInfo(caller);
      return ownershipEntityRefs.some(ref => operators.has(userKey(ref)));
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

export function nameOf(principal: Principal): string {
  return principal.type === 'user'
    ? principal.userEntityRef
    : principal.subject;
}

function isSelf(principal: Principal, userEntityRef: string): boolean {
  return (
    principal.type === 'user' &&
    userKey(principal.userEntityRef) === userKey(userEntityRef)
  );
}
