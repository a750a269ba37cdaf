import type { Config } from '@backstage/config';
import { isObject } from '../config/values';
import type {
  ExternalToken,
  OtherSettings,
  ProxyEndpoint,
} from './OtherSettings';

export const NO_BARRIERS = 'backend.auth.dangerouslyDisableDefaultAuthPolicy';

/**
 * Reads settings of Backstage and of other plugins, as these read them. All of them are optional. A value of a wrong type counts
 * as absent, because the plugin itself refuses it.
 */
export function readOtherSettings(config: Config): OtherSettings {
  const get = (key: string): unknown => {
    try {
      return config.getOptional(key);
    } catch {
      // A parent has a wrong type.
      return undefined;
    }
  };
  return {
    corsOrigins: readCorsOrigins(get('backend.cors.origin')),
    externalTokens: readExternalTokens(get),
    hasNoBarriers: isTrue(get(NO_BARRIERS)),
    hasPermissions: isTrue(get('permission.enabled')),
    hasRefreshTokens: isTrue(get('auth.experimentalRefreshToken.enabled')),
    oauthWildcards: readOAuthWildcards(get),
    openSignIns: readOpenSignIns(asObject(get('auth.providers'))),
    proxyEndpoints: readProxyEndpoints(get),
    webhooks: {
      topics: asTexts(get('events.http.topics')),
      withSecret: readWebhookSecrets(get),
    },
  };
}

type Get = (key: string) => unknown;

function readCorsOrigins(value: unknown): OtherSettings['corsOrigins'] {
  const at = 'backend.cors.origin';
  return isText(value)
    ? [{ at, origin: value }]
    : asList(value).flatMap((origin, i) =>
        isText(origin) ? [{ at: `${at}[${i}]`, origin }] : [],
      );
}

function readExternalTokens(get: Get): ExternalToken[] {
  return ['backend.auth.externalAccess', 'backend.auth.keys'].flatMap(key =>
    asList(get(key))
      .filter(isObject)
      .map((item, i) => {
        const { type, options, accessRestrictions } = item;
        const { subject, token, url } = asObject(options);
        const name = [subject, url].find(isText);
        return {
          at: `${key}[${i}]${name ? ` (${withoutQuery(name)})` : ''}`,
          isRestricted: asList(accessRestrictions).length > 0,
          length: type === 'static' && isText(token) ? token.length : undefined,
        };
      }),
  );
}

/** Returns a name without what may be a secret of a URL. */
function withoutQuery(name: string): string {
  return name.replace(/\/\/[^/@]*@/, '//').replace(/[?#].*$/s, '');
}

const EACH_HOST = /^(\*|[a-z*][a-z0-9*+.-]*:\/\/\*(:\*)?(\/\**)?)$/i;

function readOAuthWildcards(get: Get): string[] {
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

function readOpenSignIns(
  providers: Record<string, unknown>,
): OtherSettings['openSignIns'] {
  const path = 'auth.providers';
  const outside = 'dangerouslyAllowOutsideDevelopment';
  const found = isTrue(asObject(providers.guest)[outside])
    ? [{ at: `${path}.guest.${outside}`, isGuest: true }]
    : [];
  for (const [id, provider] of Object.entries(providers)) {
    // `signIn` stands in a provider's settings, or one level below, per environment.
    const levels = { '': provider, ...asObject(provider) };
    for (const [environment, level] of Object.entries(levels)) {
      const below = environment && `.${environment}`;
      const settings = asObject(level);
      const resolvers = asList(asObject(settings.signIn).resolvers);
      const isOpen = isForAnybody(id, settings);
      resolvers.map(asObject).forEach((resolver, i) => {
        if (isOpen && signsStrangersIn(resolver)) {
          const at = `${path}.${id}${below}.signIn.resolvers[${i}] (${resolver.resolver})`;
          found.push({ at, isGuest: false });
        }
      });
    }
  }
  return found;
}

/** Whether anybody can get an account at the identity provider of a sign-in. */
function isForAnybody(id: string, settings: Record<string, unknown>): boolean {
  const isUnset = (value: unknown) => value === undefined || value === '';
  switch (id) {
    case 'github':
      return isUnset(settings.enterpriseInstanceUrl);
    case 'gitlab':
      return (
        isUnset(settings.audience) ||
        /^https:\/\/gitlab\.com\/?$/i.test(String(settings.audience))
      );
    case 'microsoft':
      return ['common', 'organizations', 'consumers'].includes(
        String(settings.tenantId),
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

const SECRET_HEADER =
  /auth|token|secret|cookie|session|password|credential|api-?key|(^|[-_])key$/i;

function readProxyEndpoints(get: Get): ProxyEndpoint[] {
  const isAuthorization = (name: string) => /^authorization$/i.test(name);
  // The plugin still reads endpoints of the former place, if the present one is empty.
  const parent = isObject(get('proxy.endpoints')) ? 'proxy.endpoints' : 'proxy';
  const entries = Object.entries(asObject(get(parent))).filter(
    ([route]) => parent !== 'proxy' || route.startsWith('/'),
  );
  return entries.map(([route, value]) => {
    const { auth, credentials, ...settings } = asObject(value);
    const headers = Object.keys(asObject(settings.headers));
    const forwarded = asTexts(settings.allowedHeaders);
    return {
      at: `${parent}.${route}`,
      path: `/${route.split('/').filter(Boolean).join('/')}`.toLowerCase(),
      isPublic: credentials === 'dangerously-allow-unauthenticated',
      secrets: [
        ...headers
          .filter(name => SECRET_HEADER.test(name))
          .map(name => `headers.${name}`),
        ...(isText(auth) ? ['auth'] : []),
      ],
      forwardsToken:
        (credentials === 'forward' || forwarded.some(isAuthorization)) &&
        // The header of the configuration replaces the caller's.
        !headers.some(isAuthorization),
      isWebSocket: isTrue(settings.ws),
    };
  });
}

function readWebhookSecrets(get: Get): ReadonlySet<string> {
  const modules = Object.entries(asObject(get('events.modules'))).filter(
    ([, module]) => isText(asObject(module).webhookSecret),
  );
  const hasGithubApp = asList(get('integrations.github'))
    .flatMap(integration => asList(asObject(integration).apps))
    .map(asObject)
    .some(({ appId, webhookSecret }) => appId && isText(webhookSecret));
  return new Set([
    ...modules.map(([id]) => id.toLowerCase()),
    ...(hasGithubApp ? ['github'] : []),
  ]);
}

/** Reads a boolean as Backstage does: variables of the environment are texts. */
function isTrue(value: unknown): boolean {
  return (
    typeof value !== 'object' &&
    /^(y|yes|true|1|on)$/i.test(String(value).trim())
  );
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function asObject(value: unknown): Record<string, unknown> {
  return isObject(value) ? value : {};
}

function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function asTexts(value: unknown): string[] {
  return asList(value).filter(isText);
}
