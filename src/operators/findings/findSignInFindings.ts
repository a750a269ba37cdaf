import { asObject, isTrue } from '../../settings/read/values';
import { asList, Get } from './backstageSettings';
import type { Finding, Possible } from './Finding';

/** Finds sign-in settings that give a token to people who are not in the catalog. */
export function findSignInFindings(get: Get): Possible[] {
  const providers = asObject(get('auth.providers'));
  const { dangerouslyAllowOutsideDevelopment } = asObject(providers.guest);
  return [
    isTrue(dangerouslyAllowOutsideDevelopment) && {
      id: 'anyone-may-sign-in',
      at: 'auth.providers.guest.dangerouslyAllowOutsideDevelopment',
      why: 'gives a valid token to everybody who asks the guest provider',
      write: 'remove it where others can reach the backend',
    },
    ...findOpenResolvers(providers).map((at): Finding => ({
      id: 'anyone-may-sign-in',
      at,
      why: 'gives a valid token to everybody who has an account there, in the catalog or not',
      write: 'remove dangerouslyAllowSignInWithoutUserInCatalog',
    })),
  ];
}

/** Returns the config paths of resolvers that sign in people of every domain. */
function findOpenResolvers(providers: Record<string, unknown>): string[] {
  return Object.entries(providers).flatMap(([id, provider]) => {
    // `signIn` stands in a provider's settings, or one level below, per environment.
    const levels = Object.entries({ '': provider, ...asObject(provider) });
    return levels.flatMap(([environment, level]) => {
      const settings = asObject(level);
      const at = `auth.providers.${id}${environment && `.${environment}`}`;
      const resolvers = asList(asObject(settings.signIn).resolvers);
      return resolvers
        .map(asObject)
        .flatMap((resolver, i) =>
          isForAnybody(id, settings) && signsStrangersIn(resolver)
            ? [`${at}.signIn.resolvers[${i}] (${resolver.resolver})`]
            : [],
        );
    });
  });
}

/** Whether anybody can get an account at the identity provider of a sign-in. */
function isForAnybody(id: string, settings: Record<string, unknown>): boolean {
  const { audience = '', enterpriseInstanceUrl = '', tenantId } = settings;
  switch (id) {
    case 'github':
      return enterpriseInstanceUrl === '';
    case 'gitlab':
      return (
        typeof audience === 'string' &&
        /^(https:\/\/gitlab\.com\/?)?$/i.test(audience)
      );
    case 'microsoft':
      return ['common', 'organizations', 'consumers'].some(
        name => name === tenantId,
      );
    default:
      return ['google', 'bitbucket', 'atlassian'].includes(id);
  }
}

/** Whether a resolver signs in people of every domain that are not in the catalog. Only one resolver obeys `allowedDomains`. */
function signsStrangersIn(resolver: Record<string, unknown>): boolean {
  return (
    resolver.dangerouslyAllowSignInWithoutUserInCatalog === true &&
    !(
      resolver.resolver === 'emailLocalPartMatchingUserEntityName' &&
      Array.isArray(resolver.allowedDomains)
    )
  );
}
