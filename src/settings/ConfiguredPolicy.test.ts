import { ConfigReader } from '@backstage/config';
import type { JsonObject } from '@backstage/types';
import { readApiGateConfig } from './read/readApiGateConfig';
import { ConfiguredPolicy } from './ConfiguredPolicy';

const policyOf = (
  apiGate: JsonObject,
  other: JsonObject = {},
  now?: () => number,
) =>
  new ConfiguredPolicy(
    readApiGateConfig(
      new ConfigReader({
        backend: { baseUrl: 'https://backstage.example.com' },
        auth: { apiGate },
        ...other,
      }),
    ),
    now,
  );

const hashOf = (...settings: Parameters<typeof policyOf>) =>
  policyOf(...settings).hash;

const settings = {
  mode: 'report-only',
  until: '2026-12-31',
  allow: [{ plugin: 'pub', path: '/a', methods: ['GET', 'POST'], reason: 'r' }],
  cookie: { name: '__Host-token', trustedOrigins: ['https://x.example.com'] },
  signOut: { providers: ['github', 'gitlab'] },
};

describe('the hash of a ConfiguredPolicy', () => {
  it('is 12 hex digits, the same in every process', () => {
    expect(hashOf({})).toMatch(/^[0-9a-f]{12}$/);
    expect(hashOf(settings)).toMatchInlineSnapshot(`"cbd53abd6320"`);
  });

  it('depends on the end of a rule, and not on the spelling of that end', () => {
    const hashUntil = (until?: string) =>
      hashOf({
        allow: [{ plugin: 'pub', path: '/a', ...(until && { until }) }],
      });
    expect(hashUntil('2026-12-31')).not.toBe(hashUntil());
    expect(hashUntil('2026-12-31')).not.toBe(hashUntil('2026-12-30'));
    expect(hashUntil('2026-12-31')).toBe(
      hashUntil('2026-12-31T01:00:00+01:00'),
    );
  });

  it('does not depend on the order of keys, nor on what decides nothing', () => {
    const reordered = {
      ...Object.fromEntries(Object.entries(settings).reverse()),
      allow: [
        { reason: 'r', methods: ['GET', 'POST'], path: '/a', plugin: 'pub' },
      ],
      signOut: { providers: ['gitlab', 'github'] },
    };
    expect(hashOf(reordered, { app: { title: 'Another' } })).toBe(
      hashOf(settings),
    );
    // An explicit default is the same setting.
    expect(hashOf({ mode: 'enforce', allow: [] })).toBe(hashOf({}));
  });

  it.each<[string, JsonObject]>([
    ['mode', { mode: 'enforce', until: undefined }],
    ['until', { until: '2027-01-01' }],
    ['allow', { allow: [] }],
    ['a method', { allow: [{ plugin: 'pub', path: '/a', reason: 'r' }] }],
    ['cookie', { cookie: { name: '__Host-token' } }],
    ['signOut', { signOut: { providers: ['github'] } }],
    ['operators', { operators: ['user:default/jane'] }],
  ])('differs with %s', (_, changed) => {
    expect(hashOf({ ...settings, ...changed })).not.toBe(hashOf(settings));
  });
});

describe('ConfiguredPolicy', () => {
  it('has the rules that have not ended', () => {
    const ends = ['2026-12-31', '2027-12-31', undefined];
    const allow = ends.map((until, i) => ({
      ...{ plugin: 'pub', path: `/${i}` },
      ...(until && { until }),
    }));
    const now = () => Date.parse('2026-12-31');
    const { openRules } = policyOf({ allow }, {}, now);
    expect(openRules.map(({ path }) => path)).toEqual(['/1', '/2']);
  });
});
