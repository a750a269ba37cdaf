import { METHODS } from 'node:http';
import { ConfigReader } from '@backstage/config';
import { InputError } from '@backstage/errors';
import type { JsonObject, JsonValue } from '@backstage/types';
import fc from 'fast-check';
import { checkProperty } from '../__testUtils__/checkProperty';
import { readAllowRules } from '../config/readAllowRules';
import { readApiGateConfig } from '../config/readApiGateConfig';

jest.setTimeout(60_000);

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';
const RULE_CHARACTERS = `${LETTERS}${LETTERS.toUpperCase()}0123456789-._~@`;

/** What the design says of a rule, letter by letter. */
function isRule(value: JsonValue): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return false;
  }
  const known = ['plugin', 'path', 'methods', 'reason'];
  const { plugin, path, methods = ['GET'], reason = '' } = value;
  if (
    !Object.keys(value).every(key => known.includes(key)) ||
    typeof plugin !== 'string' ||
    typeof path !== 'string' ||
    typeof reason !== 'string' ||
    !Array.isArray(methods)
  ) {
    return false;
  }
  const isPluginId =
    plugin !== '' &&
    [...plugin].every(letter => `${LETTERS}0123456789_-`.includes(letter));
  return isPluginId && areMethods(methods) && isRulePath(path, plugin, methods);
}

function areMethods(methods: JsonValue[]): boolean {
  const known: JsonValue[] = [...METHODS, 'WEBSOCKET'];
  return (
    methods.length > 0 &&
    methods.every(
      method =>
        known.includes(method) && method !== 'TRACE' && method !== 'CONNECT',
    )
  );
}

function isRulePath(
  path: string,
  plugin: string,
  methods: JsonValue[],
): boolean {
  const [beforeSlash, ...segments] = path.split('/');
  if (beforeSlash !== '' || segments.length === 0 || path.length > 1000) {
    return false;
  }
  if (segments[0] === 'api' && segments[1] === plugin) {
    return false;
  }
  const isSubtree = segments.at(-1) === '**';
  const literal = isSubtree ? segments.slice(0, -1) : segments;
  if (isSubtree && methods.includes('WEBSOCKET')) {
    return false;
  }
  if (literal.join('/').toLowerCase() === '.backstage/auth/v1/cookie') {
    return false;
  }
  const isRoot = path === '/';
  return (
    isRoot ||
    literal.every(
      segment =>
        !['', '.', '..'].includes(segment) &&
        [...segment].every(letter => RULE_CHARACTERS.includes(letter)),
    )
  );
}

const anyJson = fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<JsonValue>;

/** What is meant, or now and then anything. */
function nearly(
  ...meant: [fc.Arbitrary<JsonValue>, ...fc.Arbitrary<JsonValue>[]]
): fc.Arbitrary<JsonValue> {
  return fc.oneof(
    { weight: 12, arbitrary: fc.oneof(...meant) },
    { weight: 1, arbitrary: anyJson },
  );
}

/** An object with some of these keys, and now and then another one. */
function nearlyRecord(
  keys: Record<string, fc.Arbitrary<JsonValue>>,
  requiredKeys: string[] = [],
): fc.Arbitrary<JsonValue> {
  const record = fc.record(keys, { requiredKeys, noNullPrototype: true });
  return nearly(
    fc.oneof(
      { weight: 12, arbitrary: record },
      {
        weight: 1,
        arbitrary: fc
          .tuple(
            record,
            fc.oneof(
              fc.constantFrom('Path', 'method', 'allows', 'paths'),
              fc.string(),
            ),
          )
          .map(([value, key]) => ({ ...value, [key]: 1 })),
      },
    ) as fc.Arbitrary<JsonValue>,
  );
}

function words(...values: JsonValue[]): fc.Arbitrary<JsonValue> {
  return fc.constantFrom(...values);
}

const anyPath = fc
  .tuple(
    fc.array(
      fc.oneof(
        {
          weight: 8,
          arbitrary: fc.constantFrom(
            ...['/a', '/b.c', '/~', '/@', '/.d', '/...', '/api', '/pub'],
          ),
        },
        {
          weight: 1,
          arbitrary: fc.constantFrom(
            ...['/', '/.', '/..', 'a', '*', '/*', '/**', '/:a', '/%61', '/a b'],
            ...[
              '/a?b',
              '/a#',
              '/(a)',
              '/{a}',
              '/ä',
              '/a\n',
              '\\',
              '/a;b',
              '/+',
            ],
            ...['/.backstage/auth/v1/cookie', '/.Backstage/auth/v1/Cookie'],
            `/${'a'.repeat(990)}`,
          ),
        },
      ),
      { maxLength: 4 },
    ),
    fc.constantFrom('', '', '/**'),
  )
  .map(([parts, end]) => parts.join('') + end || '/');

const anyMethods = nearly(
  fc.array(
    nearly(
      words('GET', 'POST', 'HEAD', 'WEBSOCKET', 'PROPFIND'),
      words('GET', 'POST', 'PUT', 'get', 'TRACE', 'CONNECT', '*', ''),
    ),
    { maxLength: 3 },
  ),
);

const anyRule = nearlyRecord(
  {
    plugin: nearly(
      words('pub', 'pub', 'a-b_1', 'app', 'auth', 'Pub', 'a b', '', 'a/b', 'ä'),
    ),
    path: nearly(anyPath),
    methods: anyMethods,
    reason: nearly(words('because', '')),
  },
  ['plugin', 'path'],
);

const anyDuration = nearly(
  words('2s', '30s', 'PT5S', '1m', '1 day', '-1s', '0s', 'x', '99999999d'),
  fc.record({ seconds: fc.integer() }) as fc.Arbitrary<JsonValue>,
);

const anyTexts = (...values: string[]) =>
  nearly(fc.array(nearly(words(...values)), { maxLength: 3 }));

const anyApiGate = nearlyRecord({
  mode: nearly(words('enforce', 'report-only', 'off')),
  until: nearly(words('2026-12-31', '2026-02-31', '2026-12-31T18:00:00Z', 'x')),
  allow: nearly(fc.array(anyRule, { maxLength: 3 })),
  issuers: anyTexts('https://other.example.com/api/auth', 'x', 'ftp://x', ''),
  cookie: nearlyRecord({
    enabled: nearly(words(true, false)),
    name: nearly(
      words('token', '__Host-token', '__secure-t', 'backstage-auth', 'a b', ''),
    ),
    domain: nearly(words('example.com', 'other.com', 'com', '.example.com')),
    sameSite: nearly(words('strict', 'lax', 'none', 'Lax')),
    trustedOrigins: anyTexts(
      ...['https://a.example.com', 'https://a.example.com/', 'https://*', 'x'],
      ...['https://a.example.com:443', 'null', 'HTTPS://a.example.com'],
    ),
  }),
  signOut: nearlyRecord({
    scope: nearly(words('session', 'user', 'all')),
    providers: anyTexts('github', 'GitHub', ''),
  }),
  revocation: nearlyRecord({ pollInterval: anyDuration }),
  tokenCache: nearly(words(false, true), nearlyRecord({ ttl: anyDuration })),
});

describe('the configuration', () => {
  it('takes the rules that the design describes, and no others', () =>
    checkProperty(
      fc.property(anyRule, rule => {
        let taken;
        try {
          taken = readAllowRules([rule], 'auth.apiGate.allow').rules;
        } catch (error) {
          expect((error as Error).message).toMatch(
            /^auth\.apiGate\.allow\[0\]\S* .+$/,
          );
        }
        expect(taken !== undefined).toBe(isRule(rule));
        if (taken) {
          const { methods = ['GET'] } = rule as JsonObject;
          expect(taken).toEqual([
            { ...(rule as object), methods: [...new Set(methods as string[])] },
          ]);
        }
      }),
      { runs: 300, seconds: 2 },
    ));

  it('of any JSON is read, or refused with one line that names the value', () =>
    checkProperty(
      fc.property(
        anyApiGate,
        fc.constantFrom(
          'https://backstage.example.com',
          'http://backstage.example.com:7007',
          'http://localhost',
        ),
        (apiGate, baseUrl) => {
          const config = new ConfigReader({
            backend: { baseUrl },
            auth: { apiGate },
          });
          let read;
          try {
            read = readApiGateConfig(config);
          } catch (error) {
            expect(error).toBeInstanceOf(InputError);
            expect((error as Error).message).toMatch(/^auth\.apiGate\S* .+$/);
            return;
          }
          const { allow, cookie, trustedOrigins } = read;
          const { attributes, name } = cookie;
          expect(allow.every(rule => isRule(rule as {} as JsonObject))).toBe(
            true,
          );
          expect(trustedOrigins.map(origin => new URL(origin).origin)).toEqual(
            trustedOrigins,
          );
          expect(attributes).toMatchObject({
            httpOnly: true,
            path: '/',
            secure: baseUrl.startsWith('https:'),
          });
          // Else browsers drop the cookie.
          expect(attributes.secure || attributes.sameSite !== 'none').toBe(
            true,
          );
          expect(attributes.secure || !/^__(host|secure)-/i.test(name)).toBe(
            true,
          );
          expect(
            attributes.domain === undefined || !/^__host-/i.test(name),
          ).toBe(true);
        },
      ),
      { runs: 300, seconds: 2 },
    ));
});
