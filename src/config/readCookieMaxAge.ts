import { asObject, isTrue, readDuration } from './values';

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

const SILENT_SIGN_OUT_SECONDS = 15 * 60;

/**
 * Reads `auth.apiGate.cookie.maxAge`. It is 15 minutes by default where a configured provider signs out without a call.
 *
 * @param authProviders - `auth.providers`
 * @returns milliseconds; `undefined` for the life of the token
 */
export function readCookieMaxAge(
  value: unknown,
  path: string,
  authProviders: unknown,
): number | undefined {
  if (value === undefined && !signsOutSilently(asObject(authProviders))) {
    return undefined;
  }
  return readDuration(value, path, {
    defaultSeconds: SILENT_SIGN_OUT_SECONDS,
    min: '1m',
    // Backstage issues no longer tokens.
    max: '24h',
  });
}

function signsOutSilently(providers: Record<string, unknown>): boolean {
  return Object.entries(providers).some(
    ([id, settings]) =>
      PROXY_PROVIDERS.includes(id.toLowerCase().replaceAll('-', '')) ||
      (id === 'guest' && mayGuestsSignIn(asObject(settings))),
  );
}

/** Decides as the guest provider does: a generated app has its configuration in every environment. */
function mayGuestsSignIn(settings: Record<string, unknown>): boolean {
  return (
    process.env.NODE_ENV === 'development' ||
    isTrue(settings.dangerouslyAllowOutsideDevelopment)
  );
}
