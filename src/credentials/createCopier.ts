import type {
  BackstageCredentials,
  BackstagePrincipalAccessRestrictions as Restrictions,
  BackstageServicePrincipal,
  BackstageUserPrincipal,
} from '@backstage/backend-plugin-api';

/** The credentials that Backstage makes of a token, with the properties that it hides. */
type Verified = BackstageCredentials<
  BackstageUserPrincipal | BackstageServicePrincipal
> & {
  version?: string;
  token?: string;
  allAccessRestrictions?: Map<string, Restrictions>;
};

/**
 * Returns a function that copies credentials for each request: Backstage freezes nothing, and what a handler changes must stay with
 * its request. Copies the three kinds that Backstage makes: of a user, of a user for whom a service acts, and of a service.
 * Returns `undefined` for any others, of which a copy could lose a part, or share it between requests.
 */
export function createCopier(
  original: BackstageCredentials,
): (() => BackstageCredentials) | undefined {
  const copy = () => copyCredentials(original as Verified);
  try {
    return isWholeCopy(copy(), original) ? copy : undefined;
  } catch {
    // A property has another type than Backstage gives it.
    return undefined;
  }
}

function copyCredentials(original: Verified): Verified {
  const { $$type, version, expiresAt, principal } = original;
  const { token, allAccessRestrictions, toString } = original;
  const copy = {
    $$type,
    version,
    ...(expiresAt && { expiresAt: new Date(expiresAt) }),
    principal:
      principal.type === 'user' ? copyUser(principal) : copyService(principal),
  };
  const all = allAccessRestrictions && [...allAccessRestrictions];
  return hide(copy, {
    token,
    allAccessRestrictions:
      all && new Map(all.map(([id, each]) => [id, copyRestrictions(each)])),
    toString,
  });
}

function copyUser(original: BackstageUserPrincipal): BackstageUserPrincipal {
  const { userEntityRef, actor, toString } = original;
  return hide(
    { type: 'user', userEntityRef, actor: actor && copyService(actor) },
    { toString },
  );
}

function copyService(
  original: BackstageServicePrincipal,
): BackstageServicePrincipal {
  const { subject, accessRestrictions, toString } = original;
  return hide(
    {
      type: 'service',
      subject,
      accessRestrictions:
        accessRestrictions && copyRestrictions(accessRestrictions),
    },
    { toString },
  );
}

function copyRestrictions(original: Restrictions): Restrictions {
  const { permissionNames, permissionAttributes } = original;
  const action = permissionAttributes?.action;
  return {
    ...(permissionNames && { permissionNames: [...permissionNames] }),
    ...(permissionAttributes && {
      permissionAttributes: { ...(action && { action: [...action] }) },
    }),
  };
}

/** Adds properties that are not enumerable, as Backstage does, so that a log of credentials does not show the token. */
function hide<T extends object>(copy: T, hidden: object): T {
  for (const [name, value] of Object.entries(hidden)) {
    Object.defineProperty(copy, name, {
      configurable: true,
      value,
      writable: true,
    });
  }
  return copy;
}

/** Returns whether a copy has every property of the original, however deep, and shares no object with it except functions. */
function isWholeCopy(copy: any, original: any): boolean {
  if (typeof original !== 'object' || original === null) {
    return copy === original;
  }
  return (
    Boolean(copy) &&
    copy !== original &&
    Object.getPrototypeOf(copy) === Object.getPrototypeOf(original) &&
    Reflect.ownKeys(original).every(key =>
      isWholeCopy(copy[key], original[key]),
    ) &&
    (!(original instanceof Map) || isWholeCopy([...copy], [...original]))
  );
}
