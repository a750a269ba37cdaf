import type { Config } from '@backstage/config';
import type { GateSettings } from '../../gate/rules/GateSettings';
import { readPluginPath } from './readAllowRules';
import {
  asObject,
  check,
  checkOneOf,
  isTrue,
  readBaseUrl,
  readBoolean,
  readDuration,
  readList,
  readObject,
  readStringList,
} from './values';

// RFC 9110, section 5.6.2: token.
const TOKEN = /^[!#$%&'*+\-.^_`|~A-Za-z0-9]+$/;

const DOMAIN = /^[a-z0-9-]+(\.[a-z0-9-]+)+$/i;

// Providers whose users sign out without a call to the backend, in lower case without hyphens. The legacy system names some of them
// otherwise. The gate then learns of no sign-out, and the cookie stays in the browser.
const PROXY_PROVIDERS = [
  'awsalb',
  'azureeasyauth',
  'cfaccess',
  'easyauth',
  'gcpiap',
  'oauth2proxy',
];

/** Reads `auth.apiGate.cookie`. The origins and paths that it trusts can change without a restart, its other settings can't. */
export function readCookie(
  value: unknown,
  path: string,
  rootConfig: Config,
  backend: URL,
  isDevelopment: boolean,
): Pick<GateSettings, 'cookie' | 'trustedOrigins' | 'trustedPaths'> {
  const appBaseUrl = rootConfig.getOptionalString('app.baseUrl');
  const settings = readObject(value ?? {}, path, [
    'enabled',
    'name',
    'maxAge',
    'domain',
    'sameSite',
    'trustedOrigins',
    'trustedPaths',
  ]);
  return {
    cookie: {
      ...readCookieSettings(settings, path, backend),
      maxAgeMs:
        settings.maxAge === undefined &&
        !signsOutSilently(rootConfig, isDevelopment)
          ? undefined
          : readDuration(settings.maxAge, `${path}.maxAge`, {
              defaultSeconds: 15 * 60,
              min: '1m',
              // No user token of Backstage is valid for longer.
              max: '24h',
            }),
    },
    trustedOrigins: [
      backend.origin,
      ...(appBaseUrl ? [readBaseUrl(appBaseUrl, 'app.baseUrl').origin] : []),
      // Browsers write origins so: without a path, a wildcard or a default port.
      ...readStringList(settings.trustedOrigins, `${path}.trustedOrigins`, {
        isValid: origin =>
          /^https?:\/\/[^*]+$/.test(origin) &&
          URL.canParse(origin) &&
          new URL(origin).origin === origin,
        description:
          'one origin, such as https://portal.example.com, without a path or a wildcard',
      }),
    ],
    trustedPaths: readList(
      settings.trustedPaths,
      `${path}.trustedPaths`,
      'a list of objects, each with a plugin and a path',
      readPluginPath,
    ),
  };
}

/**
 * Reads the attributes of the gate's cookie, and checks them against each other as browsers do: they drop a cookie of
 * impossible attributes without a word.
 *
 * @param backend - `backend.baseUrl`: the cookie is `Secure` where it is https
 */
function readCookieSettings(
  settings: Record<string, unknown>,
  configPath: string,
  backend: URL,
) {
  const { name = 'token', domain, sameSite = 'lax' } = settings;
  const secure = backend.protocol === 'https:';
  const enabled = readBoolean(settings.enabled, `${configPath}.enabled`, true);
  checkOneOf(sameSite, `${configPath}.sameSite`, ['strict', 'lax', 'none']);
  check(
    typeof name === 'string' && TOKEN.test(name),
    `${configPath}.name must be a cookie name of letters, digits and -_. such as token`,
  );
  check(
    name !== 'backstage-auth',
    `${configPath}.name must not be backstage-auth, the name of Backstage's own cookie`,
  );
  check(
    domain === undefined ||
      (typeof domain === 'string' &&
        DOMAIN.test(domain) &&
        `.${backend.hostname}`.endsWith(`.${domain.toLowerCase()}`)),
    `${configPath}.domain must be a domain that the host of backend.baseUrl (${backend.hostname}) is in; leave it out for a cookie of that host alone`,
  );
  check(
    secure || sameSite !== 'none',
    `${configPath}.sameSite must be lax or strict where backend.baseUrl is not https: browsers drop the cookie otherwise`,
  );
  const prefix = name.match(/^__(Host|Secure)-/i)?.[0];
  check(
    secure || !prefix,
    `${configPath}.name must not start with ${prefix} where backend.baseUrl is not https: browsers drop the cookie otherwise`,
  );
  check(
    domain === undefined || prefix?.toLowerCase() !== '__host-',
    `${configPath}.domain must be left out with a name that starts with ${prefix}: such a cookie is of one host`,
  );
  return {
    enabled,
    name,
    attributes: {
      ...(domain !== undefined && { domain }),
      httpOnly: true as const,
      path: '/',
      sameSite,
      secure,
    },
  };
}

/** Returns whether users of a configured provider sign out without a call: then the cookie lives 15 minutes by default. */
function signsOutSilently(rootConfig: Config, isDevelopment: boolean): boolean {
  const providers = asObject(rootConfig.getOptional('auth.providers'));
  const { guest } = providers;
  return (
    Object.keys(providers).some(id =>
      PROXY_PROVIDERS.includes(id.toLowerCase().replaceAll('-', '')),
    ) ||
    // The guest provider decides so too: a generated app has its configuration in every environment.
    (guest !== undefined &&
      (isDevelopment ||
        isTrue(asObject(guest).dangerouslyAllowOutsideDevelopment)))
  );
}
