import { Config } from '@backstage/config';
import { InputError } from '@backstage/errors';
import { AllowRule } from './AllowRule';
import { CookieSettings } from './CookieSettings';
import { findUntrustedCorsOrigins } from './findUntrustedCorsOrigins';
import { readAllowRules } from './readAllowRules';
import { Challenge, readChallenges } from './readChallenges';
import { readCookieSettings } from './readCookieSettings';
import { Expectation, readExpectations } from './readExpectations';
import { readMcpPaths } from './readMcpPaths';
import { ModeSettings, readMode } from './readMode';
import { readOperators } from './readOperators';
import {
  readRevocationSettings,
  RevocationSettings,
} from './readRevocationSettings';
import {
  readTokenCacheSettings,
  TokenCacheSettings,
} from './readTokenCacheSettings';
import { readSignOutSettings, SignOutSettings } from './readSignOutSettings';
import { readTrustedPaths, TrustedPath } from './readTrustedPaths';
import { readObject, readStringList } from './values';

export const CONFIG_KEY = 'auth.apiGate';

/** The configuration of the gate, checked and with its defaults. */
export interface ApiGateConfig {
  allow: AllowRule[];
  /** Requests that must be public or closed with these rules. */
  expect: Expectation[];
  /** With `report-only` nothing is refused, until `until`. */
  mode: ModeSettings['mode'];
  until: Date | undefined;
  /** Issuers of user tokens besides this deployment's own `auth` plugin. */
  issuers: string[];
  cookie: CookieSettings;
  /** The serialised origin of `backend.baseUrl`. */
  backendOrigin: string;
  /** Serialised origins whose pages may use the cookie. */
  trustedOrigins: string[];
  /** Where pages and scripts that a cookie opens may act as the user. */
  trustedPaths: TrustedPath[];
  signOut: SignOutSettings;
  /** Who may end the sessions of others and read the policy, besides services: entity references in lower case. */
  operators: ReadonlySet<string>;
  /** Protected resources whose 401 names their metadata. */
  challenges: Challenge[];
  /** The same for the plugin `mcp-actions`, whose address discovery gives. */
  mcpPaths: ReadonlySet<string>;
  revocation: RevocationSettings;
  /** `undefined`: no token is remembered. */
  tokenCache: TokenCacheSettings | undefined;
  /** What works, but should be said at start. One line each, naming its config path. */
  warnings: string[];
}

/** Facts about the backend that its configuration does not have. */
export interface ReadOptions {
  /** Whether this backend, or one that it knows, has a plugin; `undefined` where that is not known. */
  isKnownPlugin?: (id: string) => boolean;
}

/**
 * Reads `auth.apiGate`. Whether its expectations hold is checked by `readPolicyConfig`.
 *
 * @throws InputError of one line that names the config path and what to write instead
 */
export function readApiGateConfig(
  rootConfig: Config,
  { isKnownPlugin }: ReadOptions = {},
): ApiGateConfig {
  const value = readObject(rootConfig.getOptional(CONFIG_KEY) ?? {}, {
    path: CONFIG_KEY,
    keys: [
      'mode',
      'until',
      'allow',
      'expect',
      'issuers',
      'cookie',
      'signOut',
      'operators',
      'challenges',
      'revocation',
      'tokenCache',
    ],
  });
  const backend = new URL(rootConfig.getString('backend.baseUrl'));
  const appBaseUrl = rootConfig.getOptionalString('app.baseUrl');
  const { cookie, ...trust } = readCookie(value.cookie, backend, appBaseUrl);
  const { rules, warnings } = readAllowRules(
    value.allow,
    `${CONFIG_KEY}.allow`,
  );
  return {
    ...readMode(value.mode, value.until, CONFIG_KEY),
    allow: rules,
    expect: readExpectations(
      value.expect,
      `${CONFIG_KEY}.expect`,
      isKnownPlugin,
    ),
    issuers: readIssuers(value.issuers, `${CONFIG_KEY}.issuers`),
    cookie,
    backendOrigin: backend.origin,
    trustedOrigins: trust.trustedOrigins,
    trustedPaths: trust.trustedPaths,
    signOut: readSignOutSettings(
      value.signOut,
      `${CONFIG_KEY}.signOut`,
      rootConfig.getOptional('auth.providers'),
    ),
    operators: readOperators(value.operators, `${CONFIG_KEY}.operators`),
    challenges: readChallenges(
      value.challenges,
      `${CONFIG_KEY}.challenges`,
      backend,
    ),
    mcpPaths: readMcpPaths(rootConfig),
    tokenCache: readTokenCacheSettings(
      value.tokenCache,
      `${CONFIG_KEY}.tokenCache`,
    ),
    revocation: readRevocationSettings(
      value.revocation,
      `${CONFIG_KEY}.revocation`,
    ),
    warnings: [
      ...warnings,
      ...trust.warnings,
      ...findUntrustedCorsOrigins(rootConfig, trust.trustedOrigins).map(
        path =>
          `${path} is wider than the origins that the API gate trusts: pages of other origins get 403 with the cookie. Write each origin by itself, and name it in ${CONFIG_KEY}.cookie.trustedOrigins if its pages may use the cookie`,
      ),
    ],
  };
}

/** Reads `auth.apiGate.cookie`. The origins and paths that it trusts can change without a restart, its other settings can't. */
function readCookie(
  value: unknown,
  backend: URL,
  appBaseUrl: string | undefined,
) {
  const path = `${CONFIG_KEY}.cookie`;
  const { trustedOrigins, trustedPaths, ...settings } = readObject(
    value ?? {},
    {
      path,
      keys: [
        'enabled',
        'name',
        'domain',
        'sameSite',
        'trustedOrigins',
        'trustedPaths',
      ],
    },
  );
  return {
    cookie: readCookieSettings(settings, path, backend),
    trustedOrigins: [
      backend.origin,
      ...(appBaseUrl ? [new URL(appBaseUrl).origin] : []),
      ...readOrigins(trustedOrigins, `${path}.trustedOrigins`),
    ],
    ...readTrustedPaths(trustedPaths, `${path}.trustedPaths`),
  };
}

function readIssuers(value: unknown, path: string): string[] {
  const issuers = readStringList(value, path);
  issuers.forEach((issuer, i) => {
    if (!URL.canParse(issuer) || !/^https?:/i.test(issuer)) {
      throw new InputError(
        `${path}[${i}] must be the URL that the other deployment's tokens carry as "iss", such as https://backstage.example.com/api/auth`,
      );
    }
  });
  return issuers;
}

function readOrigins(value: unknown, path: string): string[] {
  const origins = readStringList(value, path);
  origins.forEach((origin, i) => {
    // Compared as browsers write it: no path, no wildcard, no default port.
    if (
      !/^https?:\/\/[^*]+$/.test(origin) ||
      !URL.canParse(origin) ||
      new URL(origin).origin !== origin
    ) {
      throw new InputError(
        `${path}[${i}] must be one origin, such as https://portal.example.com, without a path or a wildcard`,
      );
    }
  });
  return origins;
}
