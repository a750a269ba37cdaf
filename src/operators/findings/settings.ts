import { compact } from 'lodash';
import { isSubtree, prefixOf } from '../../gate/rules/AllowRule';
import { isEnforced } from '../../gate/rules/Policy';
import { CONFIG_KEY } from '../../settings/read/readApiGateConfig';
import { asObject, didYouMean, isTrue } from '../../settings/read/values';
import { AFTER_REPORT_ONLY } from '../../settings/StartSettings';
import {
  asList,
  isBelow,
  NO_BARRIERS,
  readProxyEndpoints,
} from './backstageSettings';
import { endsSoon, Facts, Place } from './Finding';

export function findMissingBarriers({ get, isLegacy }: Facts): Place[] {
  return !isLegacy && isTrue(get(NO_BARRIERS)) ? [{ at: NO_BARRIERS }] : [];
}

/** The settings of Backstage that let somebody in, or lock somebody out, if their names are misspelt: by the path of their parent. */
const DECISIVE: Record<string, readonly string[]> = {
  '': ['permission'],
  permission: ['enabled'],
  backend: ['auth'],
  'backend.auth': [
    'dangerouslyDisableDefaultAuthPolicy',
    'externalAccess',
    'keys',
    'pluginKeyStore',
  ],
};

/** Finds keys that resemble a decisive setting. Backstage ignores a key that it does not know, with all that is below it. */
export function findMisspelt({ config, get }: Facts): Place[] {
  return Object.entries(DECISIVE).flatMap(([parent, names]) =>
    Object.keys(asObject(parent ? get(parent) : config.getOptional()))
      .map(key => ({
        at: compact([parent, key]).join('.'),
        meant: didYouMean(key, names),
      }))
      .filter(({ meant }) => meant !== ''),
  );
}

/** Finds that report-only has ended, or ends within a week. */
export function findUntilOfReportOnly(facts: Facts): Place[] {
  const { gate, now } = facts;
  const {
    stopping = 'GET …/policy of the running backend names what stops working',
  } = facts;
  if (!gate.until) {
    return [];
  }
  const place = { at: `${CONFIG_KEY}.until`, time: gate.until.toISOString() };
  if (isEnforced(gate, +now)) {
    return [
      {
        ...place,
        ends: 'has ended',
        then: ', so that the gate enforces',
        remedy: AFTER_REPORT_ONLY,
      },
    ];
  }
  return endsSoon(+gate.until, facts)
    ? [
        {
          ...place,
          ends: 'ends',
          then: `: ${stopping}`,
          remedy:
            'add a rule or a credential for what has to go on, or write a later until',
        },
      ]
    : [];
}

export function findWideTrust({ gate }: Facts): Place[] {
  return gate.trustedPaths.flatMap(({ plugin, path }, i) =>
    path === '/**'
      ? [
          {
            at: `${CONFIG_KEY}.cookie.trustedPaths[${i}] (/api/${plugin}${path})`,
            plugin,
          },
        ]
      : [],
  );
}

/** Finds proxy endpoints whose targets get the tokens of callers. */
export function findForwardedTokens({ gate, get }: Facts): Place[] {
  return readProxyEndpoints(get).flatMap(
    ({ at, forwardsToken, isWebSocket, path }) => {
      const isWhollyForeign = gate.foreignAuthorization.some(
        foreign =>
          foreign.plugin === 'proxy' &&
          isSubtree(foreign) &&
          isBelow(path, prefixOf(foreign)),
      );
      // Every upgrade reaches the target of an endpoint with `ws: true`, whatever its path.
      const forwards = forwardsToken && (isWebSocket || !isWhollyForeign);
      const does = compact([
        forwards &&
          "sends the caller's Backstage token to its target, and the token of the gate's cookie as well",
        isWebSocket &&
          'has ws: true, so that its target gets the WebSockets of every path below /api',
      ]);
      const what = compact([
        forwards &&
          'credentials: forward, and Authorization from allowedHeaders',
        isWebSocket && 'ws: true',
      ]);
      return does.length > 0
        ? [{ at, does: does.join('; it '), what: what.join(', and ') }]
        : [];
    },
  );
}

/** Finds sign-in settings that give a token to people who are not in the catalog. */
export function findOpenSignIns({ get }: Pick<Facts, 'get'>): Place[] {
  const providers = asObject(get('auth.providers'));
  const { dangerouslyAllowOutsideDevelopment } = asObject(providers.guest);
  return [
    ...(isTrue(dangerouslyAllowOutsideDevelopment)
      ? [
          {
            at: 'auth.providers.guest.dangerouslyAllowOutsideDevelopment',
            who: 'who asks the guest provider',
            what: 'it where others can reach the backend',
          },
        ]
      : []),
    ...findOpenResolvers(providers).map(at => ({
      at,
      who: 'who has an account there, in the catalog or not',
      what: 'dangerouslyAllowSignInWithoutUserInCatalog',
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
