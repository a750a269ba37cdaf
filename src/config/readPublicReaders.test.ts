import { ConfigReader } from '@backstage/config';
import type { JsonObject, JsonValue } from '@backstage/types';
import type { AllowRule } from './AllowRule';
import {
  checkPublicReaders,
  findAddedReaders,
  readReaderToken,
} from './readPublicReaders';

const READING = [
  { plugin: 'catalog', permissionAttribute: { action: ['read'] } },
];

const entryWith = (changes: JsonObject = {}): JsonObject => ({
  type: 'static',
  options: { token: 'of-this-test', subject: 'reader' },
  accessRestrictions: READING,
  ...changes,
});

const configWith = (...externalAccess: JsonValue[]) =>
  new ConfigReader({ backend: { auth: { externalAccess } } });

const ruleWith = (changes: Partial<AllowRule> = {}): AllowRule => ({
  plugin: 'catalog',
  path: '/entities/**',
  methods: ['GET', 'HEAD'],
  as: 'reader',
  ...changes,
});

const check = (rule: AllowRule, ...entries: JsonValue[]) =>
  checkPublicReaders(
    [ruleWith({ as: undefined, methods: ['POST'] }), rule],
    'allow',
    configWith(...entries),
  );

describe('checkPublicReaders', () => {
  it.each<[Partial<AllowRule>, JsonObject]>([
    [{}, {}],
    [{ path: '/' }, {}],
    [
      {},
      {
        accessRestrictions: [
          { plugin: 'catalog', permissionAttribute: { action: 'read' } },
        ],
      },
    ],
  ])('takes %j with the entry %j', (rule, entry) => {
    expect(() =>
      check(ruleWith(rule), 'x', { type: 'static' }, entryWith(entry)),
    ).not.toThrow();
  });

  it.each<[Partial<AllowRule>, string]>([
    [
      { methods: ['GET', 'POST'] },
      '.methods must be GET or HEAD beside as: what',
    ],
    [
      { path: '/**' },
      '.path must name what is read beside as, such as /entities',
    ],
    ...['app', 'auth', 'mcp-actions', 'proxy', 'scaffolder'].map(
      (plugin): [Partial<AllowRule>, string] => [
        { plugin },
        `.as is not for the plugin ${plugin}, which acts for its callers: remove as`,
      ],
    ),
    [{ as: 'x' }, '.as must be the subject of exactly one entry of backend'],
    [
      { plugin: 'search' },
      '.as names the token of reader, which must be restr',
    ],
  ])('refuses the rule with %j', (rule, message) => {
    expect(() => check(ruleWith(rule), entryWith())).toThrow(
      `allow[1]${message}`,
    );
  });

  it.each<[string, JsonValue]>([
    ['no restrictions', { accessRestrictions: null }],
    ['none in the list', { accessRestrictions: [] }],
    ['no object', { accessRestrictions: 'x' }],
    ['more than one', { accessRestrictions: [...READING, ...READING] }],
    ['no action', { accessRestrictions: [{ plugin: 'catalog' }] }],
    [
      'another action',
      {
        accessRestrictions: [
          {
            plugin: 'catalog',
            permissionAttribute: { action: ['read', 'update'] },
          },
        ],
      },
    ],
    [
      'permissions',
      { accessRestrictions: [{ ...READING[0], permission: 'x' }] },
    ],
  ])('refuses an entry whose restrictions have %s', (_, changes) => {
    expect(() => check(ruleWith(), entryWith(changes as JsonObject))).toThrow(
      'allow[1].as names the token of reader, which must be restricted to reading this plugin: accessRestrictions: [{ plugin: catalog, permissionAttribute: { action: [read] } }]',
    );
  });

  it('refuses another type of token, and a subject of two', () => {
    expect(() => check(ruleWith(), entryWith({ type: 'legacy' }))).toThrow(
      'allow[1].as must be the subject of exactly one entry of backend.auth.externalAccess, of the type static; 1 have reader',
    );
    expect(() => check(ruleWith(), entryWith(), entryWith())).toThrow(
      'of the type static; 2 have reader',
    );
  });
});

it('finds the readers that were not there at the start', () => {
  const start = [ruleWith()];
  const rules = [
    ruleWith({ as: undefined }),
    ruleWith({ reason: 'the same', methods: ['GET'] }),
    ruleWith({ as: 'other' }),
    ruleWith({ path: '/x' }),
    ruleWith({ plugin: 'search' }),
  ];
  expect(findAddedReaders(rules, start)).toEqual(
    [2, 3, 4].map(i => `auth.apiGate.allow[${i}].as`),
  );
});

it('reads the token of a reader', () => {
  const config = configWith(
    { type: 'static' },
    entryWith(),
    entryWith({ options: { token: 7, subject: 'odd' } }),
  );
  expect(readReaderToken(config, 'reader')).toBe('of-this-test');
  expect(readReaderToken(config, 'odd')).toBeUndefined();
  expect(readReaderToken(config, 'nobody')).toBeUndefined();
});
