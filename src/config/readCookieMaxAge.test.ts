import { InputError } from '@backstage/errors';
import type { JsonObject, JsonValue } from '@backstage/types';
import { readCookieMaxAge } from './readCookieMaxAge';

const AT = 'auth.apiGate.cookie.maxAge';
const MINUTE = 60_000;
const GOOGLE = { google: { production: { signIn: {} } } };

const { NODE_ENV } = process.env;
const setEnvironment = (value: string | undefined) =>
  Object.assign(process.env, { NODE_ENV: value });
afterEach(() => setEnvironment(NODE_ENV));

describe('[P48] auth.apiGate.cookie.maxAge', () => {
  it.each<[JsonValue, number]>([
    ['1m', MINUTE],
    ['PT20M', 20 * MINUTE],
    [{ hours: 2 }, 120 * MINUTE],
    ['24h', 24 * 60 * MINUTE],
  ])('%j is %d ms, whatever the providers', (value, expected) => {
    expect(readCookieMaxAge(value, AT, GOOGLE)).toBe(expected);
    expect(readCookieMaxAge(value, AT, { gcpIap: {} })).toBe(expected);
  });

  it.each([
    'awsalb',
    'awsAlb',
    'azureEasyAuth',
    'easyAuth',
    'cfaccess',
    'gcpIap',
    'gcp-iap',
    'oauth2Proxy',
  ])('is 15 minutes where %s signs users in', id => {
    const providers = { ...GOOGLE, [id]: { signIn: {} } };
    expect(readCookieMaxAge(undefined, AT, providers)).toBe(15 * MINUTE);
  });

  it.each([undefined, null, 'x', {}, GOOGLE, { okta: {}, oauth2: {} }])(
    'is the life of the token with the providers %j',
    providers => {
      setEnvironment('development');
      expect(readCookieMaxAge(undefined, AT, providers)).toBeUndefined();
    },
  );

  it.each<[string | undefined, JsonObject | null, number | undefined]>([
    ['development', {}, 15],
    ['development', null, 15],
    ['production', {}, undefined],
    [undefined, {}, undefined],
    ['production', { dangerouslyAllowOutsideDevelopment: false }, undefined],
    ['production', { dangerouslyAllowOutsideDevelopment: true }, 15],
    // A variable of the environment is a text.
    ['production', { dangerouslyAllowOutsideDevelopment: 'true' }, 15],
  ])(
    'with NODE_ENV %s and the guest provider %j is %s minutes',
    (environment, guest, minutes) => {
      setEnvironment(environment);
      const providers = { ...GOOGLE, guest };
      expect(readCookieMaxAge(undefined, AT, providers)).toBe(
        minutes && minutes * MINUTE,
      );
    },
  );

  it.each<JsonValue>(['59s', '25h', 'x', 15, false, null, {}])(
    'refuses %j',
    value => {
      expect(() => readCookieMaxAge(value, AT, GOOGLE)).toThrow(
        new InputError(
          `${AT} must be a duration from 1m to 24h, such as 900s or { seconds: 900 }`,
        ),
      );
    },
  );
});
