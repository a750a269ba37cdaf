import { METHODS } from 'node:http';
import { ConfigReader } from '@backstage/config';
import { InputError } from '@backstage/errors';
import type { JsonObject, JsonValue } from '@backstage/types';
import fc from 'fast-check';
import { checkProperty } from '../__testUtils__/checkProperty';
import { mostly } from '../__testUtils__/mostly';
import { readAllowRules } from '../../settings/read/readAllowRules';
import { readApiGateConfig } from '../../settings/read/readApiGateConfig';

jest.setTimeout(60_000);

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';
const RULE_CHARACTERS = `${LETTERS}${LETTERS.toUpperCase()}0123456789-._~@`;

const ENDS = ['2026-12-31', '2001-01-01', '2026-12-31T18:00:00Z'];

/** Repeats the design's definition of a rule, character by character. */
function isRule(value: JsonValue): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return false;
  }
  const known = ['plugin', 'path', 'methods', 'reason', 'until'];
  const { plugin, path, methods = ['GET'], reason = '' } = value;
  const { until = '2026-12-31' } = value;
  if (
    !Object.keys(value).every(key => known.includes(key)) ||
    typeof plugin !== 'string' ||
    typeof path !== 'string' ||
    typeof reason !== 'string' ||
    !(typeof until === 'string' && ENDS.includes(until)) ||
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
  const hasWildcard = literal.includes('*');
  if ((isSubtree || hasWildcard) && methods.includes('WEBSOCKET')) {
    return false;
  }
  if (literal[0] === '*') {
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
        segment === '*' ||
        (!['', '.', '..'].includes(segment) &&
          [...segment].every(letter => RULE_CHARACTERS.includes(letter))),
    )
  );
}

const anyJson = fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<JsonValue>;

/** Generates the intended value, and sometimes any other. */
function nearly(meant: fc.Arbitrary<unknown>): fc.Arbitrary<JsonValue> {
  return fc.oneof(
    { weight: 30, arbitrary: meant as fc.Arbitrary<JsonValue> },
    { weight: 1, arbitrary: anyJson },
  );
}

function words(usual: unknown[], odd: unknown[]): fc.Arbitrary<JsonValue> {
  return nearly(mostly(usual, odd, 9));
}

function listOf(values: fc.Arbitrary<JsonValue>): fc.Arbitrary<JsonValue> {
  return nearly(fc.array(values, { maxLength: 3 }));
}

/** Generates an object with some of these keys, and sometimes with another one. */
function nearlyRecord(
  keys: Record<string, fc.Arbitrary<JsonValue>>,
  requiredKeys: string[] = [],
): fc.Arbitrary<JsonValue> {
  const record = fc.record(keys, { requiredKeys, noNullPrototype: true });
  const otherKey = fc.oneof(
    fc.constantFrom('Path', 'method', 'allows', 'paths'),
    fc.string(),
  );
  return nearly(
    fc.oneof(
      { weight: 20, arbitrary: record },
      {
        weight: 1,
        arbitrary: fc
          .tuple(record, otherKey)
          .map(([value, key]) => ({ ...value, [key]: 1 })),
      },
    ),
  );
}

const anyPath = nearly(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc
        .tuple(
          fc.array(
            mostly(
              ['/a', '/b.c', '/~', '/@', '/.d', '/...', '/_-', '/*'],
              [
                ...['/', '/.', '/..', 'a', '*', '/*', '/**', '/:a', '/%61'],
                ...['/a b', '/a?b', '/a#', '/(a)', '/{a}', '/ä', '/a\n', '\\'],
                ...['/a;b', '/+', '/a,b', '/$', `/${'a'.repeat(990)}`],
              ],
              12,
            ),
            { minLength: 1, maxLength: 4 },
          ),
          fc.constantFrom('', '', '/**'),
        )
        .map(([parts, end]) => parts.join('') + end),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        ...['/', '/**', '', '/api/pub', '/api/pub/a', '/api/pubs', '/api/**'],
        '/.backstage/auth/v1/cookie',
        '/.Backstage/auth/v1/Cookie',
        '/.backstage/auth/v1/cookie/**',
        '/.backstage/auth/v1/**',
      ),
    },
  ),
);

const anyRule = nearlyRecord(
  {
    plugin: words(
      ['pub', 'pub', 'a-b_1', 'app', 'auth'],
      ['Pub', 'a b', '', 'a/b', 'ä', '*'],
    ),
    path: anyPath,
    methods: listOf(
      words(
        ['GET', 'POST', 'HEAD', 'WEBSOCKET', 'PROPFIND'],
        ['get', 'TRACE', 'CONNECT', '*', '', 'GET,POST'],
      ),
    ),
    reason: words(['because', ''], [1]),
    until: words(ENDS, ['2026-02-31', '2026-12-31T18:00:00', 'x', 2026]),
  },
  ['plugin', 'path'],
);

const SECTIONS = {
  allow: listOf(anyRule),
  closed: listOf(words(['catalog'], ['Catalog', 'a b', ''])),
  cookie: nearlyRecord({
    enabled: words([true, false], ['true']),
    name: words(
      ['token', '__Host-token', '__secure-t'],
      ['backstage-auth', 'a b', 'a;b', ''],
    ),
    domain: words(['example.com'], ['other.com', 'com', '.example.com']),
    sameSite: words(['strict', 'lax', 'none'], ['Lax']),
    trustedOrigins: listOf(
      words(
        ['https://a.example.com', 'http://localhost:3000'],
        [
          ...['https://a.example.com/', 'https://*', 'x', 'null'],
          ...['https://a.example.com:443', 'HTTPS://a.example.com'],
        ],
      ),
    ),
    trustedPaths: listOf(
      nearlyRecord({
        plugin: words(['proxy'], ['Proxy', '']),
        path: words(['/a', '/a/**'], ['a', '/a/*', '/a/', '/../a']),
      }),
    ),
  }),
  signOut: nearlyRecord({
    scope: words(['session', 'user'], ['all']),
    providers: listOf(words(['github', 'GitHub'], [''])),
  }),
};

const anyApiGate = nearly(
  fc.oneof(
    nearlyRecord({
      mode: words(['report-only', 'enforce'], ['off']),
      until: words(
        ['2026-12-31', '2026-12-31T18:00:00Z'],
        ['2026-02-31', '2026-12-31T18:00:00', 'x'],
      ),
    }),
    ...Object.entries(SECTIONS).map(([key, section]) =>
      nearlyRecord({ [key]: section }, [key]),
    ),
    nearlyRecord(SECTIONS),
  ),
);

describe('the configuration', () => {
  it('[P3] takes the rules that the design describes, and no others', () =>
    checkProperty(
      fc.property(anyRule, rule => {
        let taken;
        try {
          taken = readAllowRules([rule], 'auth.apiGate.allow');
        } catch (error) {
          expect((error as Error).message).toMatch(
            /^auth\.apiGate\.allow\[0\]\S* .+$/,
          );
        }
        expect(taken !== undefined).toBe(isRule(rule));
        if (taken) {
          const { methods = ['GET'], until, ...others } = rule as JsonObject;
          expect(taken).toEqual([
            {
              ...others,
              methods: [...new Set(methods as string[])],
              ...(until !== undefined && { until: Date.parse(String(until)) }),
            },
          ]);
        }
      }),
      { runs: 600, seconds: 2 },
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
          for (const { until, ...rule } of allow) {
            expect(isRule(rule)).toBe(true);
          }
          expect(trustedOrigins.map(origin => new URL(origin).origin)).toEqual(
            trustedOrigins,
          );
          expect(attributes).toMatchObject({
            httpOnly: true,
            path: '/',
            secure: baseUrl.startsWith('https:'),
          });
          // Browsers would drop the cookie otherwise.
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
      { runs: 600, seconds: 2 },
    ));
});
