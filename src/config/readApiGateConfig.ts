import { Config } from '@backstage/config';
import { InputError } from '@backstage/errors';
import { AllowRule } from '../policy/AllowList';
import { assertExpectations } from '../policy/checkExpectations';
import { CookieSettings } from './CookieSettings';
import { findProxiedWebSockets } from './findProxiedWebSockets';
import { readAllowRules } from './readAllowRules';
import { readCookieSettings } from './readCookieSettings';
import { Expectation, readExpectations } from './readExpectations';
import { ModeSettings, readMode } from './readMode';
import {
  readRevocationSettings,
  RevocationSettings,
} from './readRevocationSettings';
import {
  readTokenCacheSettings,
  TokenCacheSettings,
} from './readTokenCacheSettings';
import { readSignOutSettings, SignOutSettings } from './readSignOutSettings';
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
  /** Whose pages may use the cookie for what changes something: serialised origins. */
  trustedOrigins: string[];
  signOut: SignOutSettings;
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
 * Reads `auth.apiGate`, and checks that its expectations hold.
 *
 * @throws InputError of one line that names the config path and what to write instead
 */
export function readApiGateConfig(
  rootConfig: Config,
  options: ReadOptions = {},
): ApiGateConfig {
  const config = parseApiGateConfig(rootConfig, options);
  assertExpectations(config, CONFIG_KEY);
  return config;
}

/**
 * Reads `auth.apiGate` without checking whether its expectations hold.
 *
 * @throws InputError of one line that names the config path and what to write instead
 */
export function parseApiGateConfig(
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
      'revocation',
      'tokenCache',
    ],
  });
  const backend = new URL(rootConfig.getString('backend.baseUrl'));
  const appBaseUrl = rootConfig.getOptionalString('app.baseUrl');
  const { trustedOrigins, ...cookie } = readObject(value.cookie ?? {}, {
    path: `${CONFIG_KEY}.cookie`,
    keys: ['enabled', 'name', 'domain', 'sameSite', 'trustedOrigins'],
  });
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
    cookie: readCookieSettings(cookie, `${CONFIG_KEY}.cookie`, backend),
    trustedOrigins: [
      backend.origin,
      ...(appBaseUrl ? [new URL(appBaseUrl).origin] : []),
      ...readOrigins(trustedOrigins, `${CONFIG_KEY}.cookie.trustedOrigins`),
    ],
    signOut: readSignOutSettings(
      value.signOut,
      `${CONFIG_KEY}.signOut`,
      rootConfig.getOptional('auth.providers'),
    ),
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
      ...findProxiedWebSockets(rootConfig).map(
        path =>
          `${path} takes WebSockets of every path around the API gate, without a credential: leave it out, or refuse upgrades in front of the backend`,
      ),
    ],
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
