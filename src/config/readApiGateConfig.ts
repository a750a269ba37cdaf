import { Config } from '@backstage/config';
import { AllowRule } from './AllowRule';
import { readAllowRules } from './readAllowRules';
import { AuditSettings, readAuditSettings } from './readAuditSettings';
import { Challenge, readChallenges } from './readChallenges';
import { CookieSettings, readCookieSettings } from './readCookieSettings';
import {
  findUntrustedCorsOrigins,
  readOrigins,
  readTrustedPaths,
  TrustedPath,
} from './readCookieTrust';
import { Expectation, readExpectations } from './readExpectations';
import { readMcpPaths } from './readMcpPaths';
import { ModeSettings, readMode } from './readMode';
import {
  readOperators,
  readRevocationSettings,
  readSignOutSettings,
  readTokenCacheSettings,
  RevocationSettings,
  SignOutSettings,
  TokenCacheSettings,
} from './readSessionSettings';
import { readObject, readStringList } from './values';

export const CONFIG_KEY = 'auth.apiGate';

/** The configuration of the gate, checked and with its defaults. */
export interface ApiGateConfig extends ModeSettings {
  allow: AllowRule[];
  /** Requests that must be public or closed with these rules. */
  expect: Expectation[];
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
  /** Entity references, in lower case, of those who may end the sessions of others and read the policy, as services may. */
  operators: ReadonlySet<string>;
  /** Protected resources whose 401 names their metadata. */
  challenges: Challenge[];
  /** The same for the plugin `mcp-actions`, whose address discovery gives. */
  mcpPaths: ReadonlySet<string>;
  audit: AuditSettings;
  revocation: RevocationSettings;
  /** `undefined`: no token is remembered. */
  tokenCache: TokenCacheSettings | undefined;
  /** Lines to log at start about settings that work, but may not be meant so; each names its config path. */
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
  const at = (key: string) => `${CONFIG_KEY}.${key}`;
  const value = readObject(
    rootConfig.getOptional(CONFIG_KEY) ?? {},
    CONFIG_KEY,
    [
      'mode',
      'until',
      'allow',
      'expect',
      'issuers',
      'cookie',
      'signOut',
      'operators',
      'challenges',
      'audit',
      'revocation',
      'tokenCache',
    ],
  );
  const backend = new URL(rootConfig.getString('backend.baseUrl'));
  const { warnings: cookieWarnings, ...cookie } = readCookie(
    value.cookie,
    at('cookie'),
    rootConfig,
    backend,
  );
  const { rules, warnings } = readAllowRules(value.allow, at('allow'));
  return {
    ...readMode(value, CONFIG_KEY),
    allow: rules,
    expect: readExpectations(value.expect, at('expect'), isKnownPlugin),
    issuers: readIssuers(value.issuers, at('issuers')),
    ...cookie,
    backendOrigin: backend.origin,
    signOut: readSignOutSettings(
      value.signOut,
      at('signOut'),
      rootConfig.getOptional('auth.providers'),
    ),
    operators: readOperators(value.operators, at('operators')),
    challenges: readChallenges(value.challenges, at('challenges'), backend),
    mcpPaths: readMcpPaths(rootConfig),
    audit: readAuditSettings(value.audit, at('audit')),
    tokenCache: readTokenCacheSettings(value.tokenCache, at('tokenCache')),
    revocation: readRevocationSettings(value.revocation, at('revocation')),
    warnings: [...warnings, ...cookieWarnings],
  };
}

/** Reads `auth.apiGate.cookie`. The origins and paths that it trusts can change without a restart, its other settings can't. */
function readCookie(
  value: unknown,
  path: string,
  rootConfig: Config,
  backend: URL,
) {
  const appBaseUrl = rootConfig.getOptionalString('app.baseUrl');
  const written = readObject(value ?? {}, path, [
    'enabled',
    'name',
    'domain',
    'sameSite',
    'trustedOrigins',
    'trustedPaths',
  ]);
  const cookie = readCookieSettings(written, path, backend);
  const trustedOrigins = [
    backend.origin,
    ...(appBaseUrl ? [new URL(appBaseUrl).origin] : []),
    ...readOrigins(written.trustedOrigins, `${path}.trustedOrigins`),
  ];
  const { trustedPaths, warnings } = readTrustedPaths(
    written.trustedPaths,
    `${path}.trustedPaths`,
  );
  const corsWarnings = findUntrustedCorsOrigins(rootConfig, trustedOrigins).map(
    origin =>
      `${origin} is wider than the origins that the API gate trusts: pages of other origins get 403 with the cookie. Write each origin by itself, and name it in ${path}.trustedOrigins if its pages may use the cookie`,
  );
  return {
    cookie,
    trustedOrigins,
    trustedPaths,
    warnings: [...warnings, ...corsWarnings],
  };
}

function readIssuers(value: unknown, path: string): string[] {
  return readStringList(value, path, {
    isValid: issuer => URL.canParse(issuer) && /^https?:/i.test(issuer),
    description:
      'the URL that the other deployment\'s tokens carry as "iss", such as https://backstage.example.com/api/auth',
  });
}
