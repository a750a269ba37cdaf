import { isSubtree, prefixOf } from '../../gate/rules/AllowRule';
import {
  ApiGateConfig,
  CONFIG_KEY,
  KEYS,
} from '../../settings/read/readApiGateConfig';
import { asObject, isTrue } from '../../settings/read/values';
import { Facts, findAbsentPlugin, Finding, Possible } from './Finding';
import { findTokenFindings } from './findTokenFindings';
import {
  asList,
  Get,
  isBelow,
  NO_BARRIERS,
  ProxyEndpoint,
  readProxyEndpoints,
} from './backstageSettings';

export function findSettingFindings(facts: Facts): Possible[] {
  const { gate, get, isLegacy } = facts;
  return [
    ...findMisplaced(get),
    ...findSignInFindings(get),
    ...readProxyEndpoints(get).flatMap(endpoint =>
      findEndpointFindings(endpoint, gate),
    ),
    ...findTrustedPathFindings(facts),
    ...findForeignPlugins(facts),
    ...(isLegacy
      ? []
      : [...findTokenFindings(facts), ...findAuthFindings(facts)]),
  ];
}

/** Finds keys of the gate directly below `auth`. Those that can only be meant for the gate have stopped the start. */
function findMisplaced(get: Get): Finding[] {
  const auth = asObject(get('auth'));
  return KEYS.filter(key => key in auth).map(key => ({
    id: 'setting-misplaced',
    at: `auth.${key}`,
    why: 'is not read by the gate, which has a setting of this name',
    write: `move it below ${CONFIG_KEY}; accept this finding if it is meant for something else`,
  }));
}

function findEndpointFindings(
  endpoint: ProxyEndpoint,
  { foreignAuthorization }: ApiGateConfig,
): Possible[] {
  const { at, forwardsToken, isWebSocket, path } = endpoint;
  const isWhollyForeign = foreignAuthorization.some(
    foreign =>
      foreign.plugin === 'proxy' &&
      isSubtree(foreign) &&
      isBelow(path, prefixOf(foreign)),
  );
  return [
    forwardsToken &&
      // Every upgrade reaches the target of an endpoint with `ws: true`, whatever its path.
      (isWebSocket || !isWhollyForeign) && {
        id: 'token-leaves-house',
        at,
        why: "sends the caller's Backstage token to its target, and the token of the gate's cookie as well",
        write:
          'remove credentials: forward, and Authorization from allowedHeaders; accept this finding if the target may have the token',
      },
    isWebSocket && {
      id: 'proxied-websocket',
      at,
      why: 'has ws: true, so that its target gets the WebSockets of every path below /api',
      write: 'remove ws: true; accept this finding if the target may have them',
    },
  ];
}

/** Finds the absent plugins of `foreignAuthorization`. */
function findForeignPlugins(facts: Facts): Possible[] {
  return facts.gate.foreignAuthorization.map(({ plugin, path }, i) => {
    const at = `${CONFIG_KEY}.foreignAuthorization[${i}] (/api/${plugin}${path})`;
    return findAbsentPlugin(facts, plugin, at);
  });
}

function findTrustedPathFindings(facts: Facts): Possible[] {
  return facts.gate.trustedPaths.flatMap(({ plugin, path }, i) => {
    const at = `${CONFIG_KEY}.cookie.trustedPaths[${i}] (/api/${plugin}${path})`;
    return [
      path === '/**' && {
        id: 'scripts-act-as-user',
        at,
        why: `lets every page and script of the plugin ${plugin} act as the user who opens it`,
        write: 'name the paths whose content you trust',
      },
      findAbsentPlugin(facts, plugin, at),
    ];
  });
}

/** Settings by which `@backstage/plugin-auth-backend` before 0.27.1 is vulnerable, with the advisories. */
// Goes in February 2027: auth backends before March 2026 have these vulnerabilities.
const VULNERABLE_SETTINGS = {
  'auth.experimentalDynamicClientRegistration.enabled': 'CVE-2026-32235',
  'auth.experimentalClientIdMetadataDocuments.enabled':
    'CVE-2026-32235 and CVE-2026-32236',
};

function findAuthFindings({ authBackend = '', get }: Facts): Possible[] {
  const isVulnerable = /^0\.(1?\d|2[0-6])\.|^0\.27\.(0|1-)/.test(authBackend);
  return [
    ...Object.entries(VULNERABLE_SETTINGS).map(
      ([at, advisories]): Possible =>
        isVulnerable &&
        isTrue(get(at)) && {
          id: 'auth-backend-vulnerable',
          at,
          why: `is set, and @backstage/plugin-auth-backend ${authBackend} has ${advisories}`,
          write:
            'update @backstage/plugin-auth-backend to 0.27.1 or later, or remove the setting',
        },
    ),
    isTrue(get(NO_BARRIERS)) && {
      id: 'no-barrier-behind',
      at: NO_BARRIERS,
      why: 'takes the barriers of all plugins away, so that nothing but the gate refuses anybody',
      write: 'remove it once the gate enforces',
    },
  ];
}

/** Finds sign-in settings that give a token to people who are not in the catalog. */
function findSignInFindings(get: Get): Possible[] {
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
  return (
    ['google', 'bitbucket', 'atlassian'].includes(id) ||
    (id === 'github' && enterpriseInstanceUrl === '') ||
    (id === 'gitlab' &&
      typeof audience === 'string' &&
      /^(https:\/\/gitlab\.com\/?)?$/i.test(audience)) ||
    (id === 'microsoft' &&
      ['common', 'organizations', 'consumers'].some(each => each === tenantId))
  );
}

/** Whether a resolver signs in people who are not in the catalog, whatever their domain. Only this resolver reads `allowedDomains`. */
function signsStrangersIn(resolver: Record<string, unknown>): boolean {
  return (
    resolver.dangerouslyAllowSignInWithoutUserInCatalog === true &&
    !(
      resolver.resolver === 'emailLocalPartMatchingUserEntityName' &&
      Array.isArray(resolver.allowedDomains)
    )
  );
}
