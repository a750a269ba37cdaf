import { FORMER_FINDING_IDS } from '../config/readAcceptedFindings';
import { isSubtree, prefixOf } from '../config/AllowRule';
import type { PluginPath } from '../config/readAllowRules';
import { ApiGateConfig, CONFIG_KEY, KEYS } from '../config/readApiGateConfig';
import { asObject, isTrue } from '../config/values';
import { findAbsentPlugin, Finding, FindingFacts, Possible } from './Finding';
import { findSignInFindings } from './findSignInFindings';
import { findTokenFindings } from './findTokenFindings';
import {
  asList,
  Get,
  isText,
  NO_BARRIERS,
  ProxyEndpoint,
  readProxyEndpoints,
} from './backstageSettings';

// A generated app has such an origin in the configuration of production too. It is the developer's own machine.
const LOOPBACK_ORIGIN = /^https?:\/\/(localhost|127\.0\.0\.1)(:\d+)?$/i;

/** Finds settings of the gate, of Backstage and of other plugins that make the gate pointless. */
export function findSettingFindings(facts: FindingFacts, get: Get): Possible[] {
  const { gate, isLegacy } = facts;
  return [
    ...findFormerAcceptances(gate),
    ...findMisplaced(get),
    ...findSignInFindings(get),
    ...readProxyEndpoints(get).flatMap(endpoint =>
      findEndpointFindings(endpoint, gate),
    ),
    ...findCookieFindings(gate, get),
    ...findTrustedPathFindings(facts),
    ...findForeignFindings(facts),
    ...(isLegacy
      ? [findLegacyFinding(gate)]
      : [...findTokenFindings(facts, get), ...findAuthFindings(gate, get)]),
  ];
}

/** Finds accepted findings that this version does not have. */
function findFormerAcceptances({ acceptedFindings }: ApiGateConfig): Finding[] {
  return acceptedFindings
    .filter(({ id }) => FORMER_FINDING_IDS.includes(id))
    .map(({ id }) => ({
      id: 'accepted-finding-gone',
      at: `${CONFIG_KEY}.findings.accept (${id})`,
      why: 'names a finding of an earlier version',
      write: 'remove the entry',
    }));
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
  const { at, forwardsToken, isWebSocket } = endpoint;
  const foreignAt = foreignAuthorization.findIndex(each =>
    overlaps(endpoint, each),
  );
  // Every upgrade reaches the target of an endpoint with `ws: true`, whatever its path.
  const isForeign =
    !isWebSocket && foreignAuthorization.some(each => covers(each, endpoint));
  return [
    foreignAt !== -1 &&
      !forwardsToken && {
        id: 'foreign-authorization-stays',
        at: `${CONFIG_KEY}.foreignAuthorization[${foreignAt}] (${at})`,
        why: 'leaves Authorization to the target, and the endpoint does not send it there',
        write:
          'add Authorization to the allowedHeaders of the endpoint, or remove the entry',
      },
    !isForeign &&
      forwardsToken && {
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

/** Returns whether an entry of `foreignAuthorization` covers a whole endpoint. */
function covers(foreign: PluginPath, { path }: ProxyEndpoint): boolean {
  return (
    foreign.plugin === 'proxy' &&
    isSubtree(foreign) &&
    isBelow(path, prefixOf(foreign))
  );
}

/** Returns whether an endpoint serves a path that an entry of `foreignAuthorization` names. */
function overlaps(endpoint: ProxyEndpoint, foreign: PluginPath): boolean {
  return (
    covers(foreign, endpoint) ||
    (foreign.plugin === 'proxy' && isBelow(prefixOf(foreign), endpoint.path))
  );
}

/** Compares without letter case, as Express does. */
function isBelow(path: string, prefix: string): boolean {
  const withSlash = (text: string) => text.toLowerCase().replace(/\/*$/, '/');
  return withSlash(path).startsWith(withSlash(prefix));
}

function findForeignFindings(facts: FindingFacts): Possible[] {
  return facts.gate.foreignAuthorization.map(({ plugin, path }, i) => {
    const at = `${CONFIG_KEY}.foreignAuthorization[${i}] (/api/${plugin}${path})`;
    return findAbsentPlugin(facts, plugin, at, 'the entry');
  });
}

function findCookieFindings(
  { cookie, trustedOrigins }: ApiGateConfig,
  get: Get,
): Possible[] {
  const { attributes, enabled, name } = cookie;
  const at = `${CONFIG_KEY}.cookie`;
  const withoutDomain = attributes.domain ? `, and remove ${at}.domain` : '';
  // Backstage takes each entry for a pattern, and a trusted origin is none.
  const isWider = (origin: string) =>
    !trustedOrigins.includes(origin.toLowerCase()) &&
    !LOOPBACK_ORIGIN.test(origin);
  return [
    enabled &&
      attributes.secure &&
      !/^__host-/i.test(name) && {
        id: 'cookie-not-host',
        at: `${at}.name`,
        why: 'lets other hosts of the same domain set the cookie',
        write: `set it to __Host-token${withoutDomain}`,
      },
    ...readCorsOrigins(get).map(
      ({ place, origin }): Possible =>
        enabled &&
        isWider(origin) && {
          id: 'cors-not-trusted',
          at: `${place} (${origin})`,
          why: 'is wider than the origins that the API gate trusts, so that pages of other origins get 403 with the cookie',
          write: `write each origin by itself, and name it in ${at}.trustedOrigins if its pages may use the cookie`,
        },
    ),
  ];
}

function readCorsOrigins(get: Get): { place: string; origin: string }[] {
  const place = 'backend.cors.origin';
  const value = get(place);
  return isText(value)
    ? [{ place, origin: value }]
    : asList(value).flatMap((origin, i) =>
        isText(origin) ? [{ place: `${place}[${i}]`, origin }] : [],
      );
}

function findTrustedPathFindings(facts: FindingFacts): Possible[] {
  return facts.gate.trustedPaths.flatMap(({ plugin, path }, i) => {
    const at = `${CONFIG_KEY}.cookie.trustedPaths[${i}] (/api/${plugin}${path})`;
    return [
      path === '/**' && {
        id: 'scripts-act-as-user',
        at,
        why: `lets every page and script of the plugin ${plugin} act as the user who opens it`,
        write: 'name the paths whose content you trust',
      },
      findAbsentPlugin(facts, plugin, at, 'the entry'),
    ];
  });
}

function findAuthFindings({ signOut }: ApiGateConfig, get: Get): Possible[] {
  return [
    isTrue(get(NO_BARRIERS)) && {
      id: 'no-barrier-behind',
      at: NO_BARRIERS,
      why: 'takes the barriers of all plugins away, so that nothing but the gate refuses anybody',
      write: 'remove it once the gate enforces',
    },
    isTrue(get('auth.experimentalRefreshToken.enabled')) &&
      signOut.offlineSessions === 'keep' && {
        id: 'refresh-tokens-survive',
        at: `${CONFIG_KEY}.signOut.offlineSessions`,
        why: 'is keep, so that OAuth clients get new tokens after the user has signed out',
        write: `set it to end, and ${CONFIG_KEY}.signOut.scope to user`,
      },
  ];
}

function findLegacyFinding({ signOut }: ApiGateConfig): Possible {
  return (
    signOut.providers.size === 0 && {
      id: 'sign-out-ends-nothing',
      at: `${CONFIG_KEY}.signOut.providers`,
      why: 'names no provider, so that no logout ends a session',
      write: 'name those that sign users in, such as github',
    }
  );
}
