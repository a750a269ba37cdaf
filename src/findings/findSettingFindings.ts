import type { ListSource } from '../config/findListSources';
import { ApiGateConfig, CONFIG_KEY } from '../config/readApiGateConfig';
import { Finding, onlyPresent } from './Finding';
import type {
  ExternalToken,
  OtherSettings,
  ProxyEndpoint,
} from './OtherSettings';
import { NO_BARRIERS } from './readOtherSettings';

// A generated app has such an origin in the configuration of production too. It is the developer's own machine.
const LOOPBACK_ORIGIN = /^https?:\/\/(localhost|127\.0\.0\.1)(:\d+)?$/i;

// Backstage itself accepts 8 characters.
const MIN_TOKEN_LENGTH = 24;

/** The facts that findings about other settings than rules depend on. */
export interface SettingFacts {
  gate: Pick<
    ApiGateConfig,
    | 'allow'
    | 'candidate'
    | 'cookie'
    | 'expect'
    | 'signOut'
    | 'trustedOrigins'
    | 'trustedPaths'
  >;
  /** `undefined` where the installed plugins are not known. */
  isInstalled?: (plugin: string) => boolean;
  /** Whether the backend is on the legacy system. */
  isLegacy: boolean;
  lists: readonly ListSource[];
  other: OtherSettings;
}

/** Finds settings of the gate, of Backstage and of other plugins that make the gate pointless. */
export function findSettingFindings(facts: SettingFacts): Finding[] {
  const { gate, isLegacy, lists, other } = facts;
  return [
    ...lists.flatMap(findReplaced),
    ...findSignInFindings(other),
    ...other.proxyEndpoints.flatMap(findEndpointFindings),
    ...findCookieFindings(facts),
    ...findTrustedPathFindings(facts),
    ...(isLegacy
      ? findLegacyFindings(gate)
      : [
          ...other.externalTokens.flatMap(findTokenFindings),
          ...findAuthFindings(gate, other),
        ]),
  ];
}

function findReplaced({ path, file, replaces }: ListSource): Finding[] {
  const lost = replaces
    .filter(({ entries }) => entries > 0)
    .map(each => `the ${each.entries} of ${each.file}`);
  return onlyPresent<Finding>([
    lost.length > 0 && {
      id: 'list-replaced',
      at: path,
      why: `is the list of ${file} in place of ${lost.join(' and ')}, because Backstage does not merge lists`,
      write: 'write all entries in one file',
    },
  ]);
}

function findSignInFindings(other: OtherSettings): Finding[] {
  return [
    ...other.openSignIns.map(({ at, isGuest }): Finding => ({
      id: 'anyone-may-sign-in',
      at,
      why: isGuest
        ? 'gives a valid token to everybody who asks the guest provider'
        : 'gives a valid token to everybody who has an account there, in the catalog or not',
      write: isGuest
        ? 'remove it where others can reach the backend'
        : 'remove dangerouslyAllowSignInWithoutUserInCatalog',
    })),
    ...other.oauthWildcards.map((at): Finding => ({
      id: 'oauth-redirects-anywhere',
      at,
      why: 'matches every host, so that the token of a user who approves a client may go anywhere',
      write: 'name the hosts that are meant',
    })),
  ];
}

function findEndpointFindings(endpoint: ProxyEndpoint): Finding[] {
  const { at, forwardsToken, isWebSocket } = endpoint;
  return onlyPresent<Finding>([
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
  ]);
}

function findCookieFindings({ gate, other }: SettingFacts): Finding[] {
  const { attributes, enabled, name } = gate.cookie;
  const at = `${CONFIG_KEY}.cookie`;
  const withoutDomain = attributes.domain ? `, and remove ${at}.domain` : '';
  // Backstage takes each entry for a pattern, and a trusted origin is none.
  const isWider = (origin: string) =>
    !gate.trustedOrigins.includes(origin.toLowerCase()) &&
    !LOOPBACK_ORIGIN.test(origin);
  return onlyPresent<Finding>([
    enabled &&
      attributes.secure &&
      !/^__host-/i.test(name) && {
        id: 'cookie-not-host',
        at: `${at}.name`,
        why: 'lets other hosts of the same domain set the cookie',
        write: `set it to __Host-token${withoutDomain}`,
      },
    ...other.corsOrigins.map(
      ({ at: place, origin }): Finding | false =>
        enabled &&
        isWider(origin) && {
          id: 'cors-not-trusted',
          at: `${place} (${origin})`,
          why: 'is wider than the origins that the API gate trusts, so that pages of other origins get 403 with the cookie',
          write: `write each origin by itself, and name it in ${at}.trustedOrigins if its pages may use the cookie`,
        },
    ),
  ]);
}

function findTrustedPathFindings({
  gate,
  isInstalled,
}: SettingFacts): Finding[] {
  return gate.trustedPaths.flatMap(({ plugin, path }, i) => {
    const at = `${CONFIG_KEY}.cookie.trustedPaths[${i}] (/api/${plugin}${path})`;
    return onlyPresent<Finding>([
      path === '/**' && {
        id: 'scripts-act-as-user',
        at,
        why: `lets every page and script of the plugin ${plugin} act as the user who opens it`,
        write: 'name the paths whose content you trust',
      },
      isInstalled?.(plugin) === false && {
        id: 'plugin-not-installed',
        at,
        why: `names the plugin ${plugin}, which is not installed in this backend`,
        write: 'correct the id, or remove the entry',
      },
    ]);
  });
}

function findTokenFindings(token: ExternalToken): Finding[] {
  const { at, isRestricted, length = Infinity } = token;
  return onlyPresent<Finding>([
    !isRestricted && {
      id: 'unrestricted-external-token',
      at,
      why: 'is valid for every route of every plugin',
      write: 'add accessRestrictions with the plugins that the caller needs',
    },
    length < MIN_TOKEN_LENGTH && {
      id: 'short-external-token',
      at,
      why: `has a token of fewer than ${MIN_TOKEN_LENGTH} characters, which can be guessed`,
      write:
        'replace it, for example by the output of: openssl rand -base64 24',
    },
  ]);
}

function findAuthFindings(
  { signOut }: SettingFacts['gate'],
  other: OtherSettings,
): Finding[] {
  return onlyPresent<Finding>([
    other.hasNoBarriers && {
      id: 'no-barrier-behind',
      at: NO_BARRIERS,
      why: 'takes the barriers of all plugins away, so that nothing but the gate refuses anybody',
      write: 'remove it once the gate enforces',
    },
    other.hasRefreshTokens &&
      signOut.offlineSessions === 'keep' && {
        id: 'refresh-tokens-survive',
        at: `${CONFIG_KEY}.signOut.offlineSessions`,
        why: 'is keep, so that OAuth clients get new tokens after the user has signed out',
        write: `set it to end, and ${CONFIG_KEY}.signOut.scope to user`,
      },
  ]);
}

function findLegacyFindings({
  candidate,
  signOut,
}: SettingFacts['gate']): Finding[] {
  const at = `${CONFIG_KEY}.signOut`;
  return onlyPresent<Finding>([
    signOut.providers.size === 0 && {
      id: 'sign-out-ends-nothing',
      at: `${at}.providers`,
      why: 'names no provider, so that no logout ends a session',
      write: 'name those that sign users in, such as github',
    },
    signOut.offlineSessions === 'end' && {
      id: 'setting-without-effect',
      at: `${at}.offlineSessions`,
      why: 'has no effect on the legacy system',
      write: 'remove it',
    },
    candidate !== undefined && {
      id: 'setting-without-effect',
      at: `${CONFIG_KEY}.candidate`,
      why: 'has no effect on the legacy system',
      write: 'remove it',
    },
  ]);
}
