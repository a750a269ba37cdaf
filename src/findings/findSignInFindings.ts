import { asObject, isTrue } from '../config/values';
import type { Finding, Possible } from './Finding';
import { asList, asTexts, Get } from './values';

/** Finds sign-in settings that give a token to people who are not in the catalog, or to any OAuth client. */
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
    ...findOAuthWildcards(get).map((at): Finding => ({
      id: 'oauth-redirects-anywhere',
      at,
      why: 'matches every host, so that the token of a user who approves a client may go anywhere',
      write: 'name the hosts that are meant',
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

const EACH_HOST = /^(\*|[a-z*][a-z0-9*+.-]*:\/\/\*(:\*)?(\/\**)?)$/i;

/** Returns the config paths of patterns for OAuth clients that match any host. */
function findOAuthWildcards(get: Get): string[] {
  const documents =
    get('auth.clientIdMetadataDocuments') === undefined
      ? 'auth.experimentalClientIdMetadataDocuments'
      : 'auth.clientIdMetadataDocuments';
  return [documents, 'auth.experimentalDynamicClientRegistration']
    .filter(key => isTrue(get(`${key}.enabled`)))
    .flatMap(key => [
      `${key}.allowedRedirectUriPatterns`,
      `${key}.allowedClientIdPatterns`,
    ])
    .flatMap(key =>
      asTexts(get(key)).flatMap((pattern, i) =>
        EACH_HOST.test(pattern) ? [`${key}[${i}] (${pattern})`] : [],
      ),
    );
}
