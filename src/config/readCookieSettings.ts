import { InputError } from '@backstage/errors';
import type { CookieSettings } from './CookieSettings';
import { readBoolean, readOneOf } from './values';

// RFC 9110, section 5.6.2: token.
const TOKEN = /^[!#$%&'*+\-.^_`|~A-Za-z0-9]+$/;

const DOMAIN = /^[a-z0-9-]+(\.[a-z0-9-]+)+$/i;

/**
 * Reads the attributes of the gate's cookie, and checks them against each other as browsers do: they drop a cookie of
 * impossible attributes without a word.
 *
 * @param backend - `backend.baseUrl`: the cookie is `Secure` where it is https
 * @throws InputError of one line that names the config path and what to write instead
 */
export function readCookieSettings(
  settings: Record<string, unknown>,
  configPath: string,
  backend: URL,
): CookieSettings {
  const { name = 'token', domain } = settings;
  const enabled = readBoolean(settings.enabled, `${configPath}.enabled`, true);
  const secure = backend.protocol === 'https:';
  const sameSite = readOneOf(
    settings.sameSite,
    `${configPath}.sameSite`,
    ['strict', 'lax', 'none'],
    'lax',
  );

  if (typeof name !== 'string' || !TOKEN.test(name)) {
    throw new InputError(
      `${configPath}.name must be a cookie name of letters, digits and -_. such as token`,
    );
  }
  if (name === 'backstage-auth') {
    throw new InputError(
      `${configPath}.name must not be backstage-auth, the name of Backstage's own cookie`,
    );
  }
  if (domain !== undefined && !isDomainOf(domain, backend.hostname)) {
    throw new InputError(
      `${configPath}.domain must be a domain that the host of backend.baseUrl (${backend.hostname}) is in; leave it out for a cookie of that host alone`,
    );
  }
  if (sameSite === 'none' && !secure) {
    throw new InputError(
      `${configPath}.sameSite must be lax or strict where backend.baseUrl is not https: browsers drop the cookie otherwise`,
    );
  }
  const prefix = name.match(/^__(Host|Secure)-/i)?.[0];
  if (prefix && !secure) {
    throw new InputError(
      `${configPath}.name must not start with ${prefix} where backend.baseUrl is not https: browsers drop the cookie otherwise`,
    );
  }
  if (prefix?.toLowerCase() === '__host-' && domain !== undefined) {
    throw new InputError(
      `${configPath}.domain must be left out with a name that starts with ${prefix}: such a cookie is of one host`,
    );
  }
  return {
    enabled,
    name,
    attributes: {
      ...(domain !== undefined && { domain: domain as string }),
      httpOnly: true,
      path: '/',
      sameSite,
      secure,
    },
  };
}

function isDomainOf(domain: unknown, host: string): boolean {
  return (
    typeof domain === 'string' &&
    DOMAIN.test(domain) &&
    `.${host}`.endsWith(`.${domain.toLowerCase()}`)
  );
}
