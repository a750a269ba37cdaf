import { Config } from '@backstage/config';
import { InputError } from '@backstage/errors';
import { AllowRule } from '../request/AllowList';
import { CookieSettings } from './CookieSettings';
import { readAllowRules } from './readAllowRules';
import { readCookieSettings } from './readCookieSettings';
import { readObject, readStringList } from './values';

export const CONFIG_KEY = 'auth.apiGate';

/** The configuration of the gate, checked and with its defaults. */
export interface ApiGateConfig {
  allow: AllowRule[];
  /** Issuers of user tokens besides this deployment's own `auth` plugin. */
  issuers: string[];
  cookie: CookieSettings;
  /** What works, but should be said at start. One line each, naming its config path. */
  warnings: string[];
}

/**
 * Reads `auth.apiGate`.
 *
 * @throws InputError of one line that names the config path and what to write instead
 */
export function readApiGateConfig(rootConfig: Config): ApiGateConfig {
  const value = readObject(rootConfig.getOptional(CONFIG_KEY) ?? {}, {
    path: CONFIG_KEY,
    keys: ['allow', 'issuers', 'cookie'],
  });
  const { rules, warnings } = readAllowRules(
    value.allow,
    `${CONFIG_KEY}.allow`,
  );
  return {
    allow: rules,
    issuers: readIssuers(value.issuers, `${CONFIG_KEY}.issuers`),
    cookie: readCookieSettings(
      value.cookie,
      `${CONFIG_KEY}.cookie`,
      new URL(rootConfig.getString('backend.baseUrl')),
    ),
    warnings,
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
