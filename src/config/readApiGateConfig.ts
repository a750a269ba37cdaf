import { Config } from '@backstage/config';
import { AcceptedFinding, readAcceptedFindings } from './readAcceptedFindings';
import { AllowRule } from './AllowRule';
import { readAllowRules } from './readAllowRules';
import { AuditSettings, readAuditSettings } from './readAuditSettings';
import { Candidate, readCandidate } from './readCandidate';
import { Challenge, readChallenges } from './readChallenges';
import { CookieSettings, readCookieSettings } from './readCookieSettings';
import { readOrigins, readTrustedPaths, TrustedPath } from './readCookieTrust';
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
import { readUsageSettings, UsageSettings } from './readUsageSettings';
import { readObject, readStringList } from './values';

export const CONFIG_KEY = 'auth.apiGate';

/** The configuration of the gate, checked and with its defaults. */
export interface ApiGateConfig extends ModeSettings {
  allow: AllowRule[];
  /** Rules that are judged beside those in force, and never decide. */
  candidate: Candidate | undefined;
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
  /** Findings that the operator accepts. */
  acceptedFindings: AcceptedFinding[];
  /** `undefined`: the use of rules and of external tokens is not recorded. */
  usage: UsageSettings | undefined;
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
      'candidate',
      'expect',
      'issuers',
      'cookie',
      'signOut',
      'operators',
      'challenges',
      'audit',
      'revocation',
      'tokenCache',
      'usage',
      'findings',
    ],
  );
  const backend = new URL(rootConfig.getString('backend.baseUrl'));
  return {
    ...readMode(value, CONFIG_KEY),
    allow: readAllowRules(value.allow, at('allow')),
    candidate: readCandidate(value.candidate, at('candidate')),
    expect: readExpectations(value.expect, at('expect'), isKnownPlugin),
    issuers: readIssuers(value.issuers, at('issuers')),
    ...readCookie(value.cookie, at('cookie'), rootConfig, backend),
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
    acceptedFindings: readAcceptedFindings(value.findings, at('findings')),
    usage: readUsageSettings(value.usage, at('usage')),
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
  return {
    cookie,
    trustedOrigins,
    trustedPaths: readTrustedPaths(
      written.trustedPaths,
      `${path}.trustedPaths`,
    ),
  };
}

function readIssuers(value: unknown, path: string): string[] {
  return readStringList(value, path, {
    isValid: issuer => URL.canParse(issuer) && /^https?:/i.test(issuer),
    description:
      'the URL that the other deployment\'s tokens carry as "iss", such as https://backstage.example.com/api/auth',
  });
}
