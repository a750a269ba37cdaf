import { ConfigReader } from '@backstage/config';
import type { JsonObject, JsonValue } from '@backstage/types';
import { readAllowRules } from './readAllowRules';
import { findAddedReaders, readReaderToken } from './readPublicReaders';

const READ = { permissionAttribute: { action: ['read'] } };

const entryWith = (changes: JsonObject = {}): JsonObject => ({
  type: 'static',
  options: { token: 'of-this-test', subject: 'reader' },
  accessRestrictions: [{ plugin: 'hello', ...READ }],
  ...changes,
});
const restrictedTo = (accessRestrictions: JsonValue) =>
  entryWith({ accessRestrictions });

const configWith = (...externalAccess: JsonValue[]) =>
  new ConfigReader({ backend: { auth: { externalAccess } } });

const ruleWith = (changes: JsonObject = {}) => ({
  ...{ plugin: 'hello', path: '/read/**', methods: ['GET', 'HEAD'] },
  as: 'reader',
  ...changes,
});

const NOT_READING =
  '.as names the token of reader, which must be restricted to reading this plugin: accessRestrictions: [{ plugin: hello, permissionAttribute: { action: [read] } }]';

describe('a rule with `as`', () => {
  const withoutReader = { plugin: 'hello', path: '/**', methods: ['POST'] };
  const read = (rule: JsonObject, ...entries: JsonValue[]) =>
    readAllowRules(
      [withoutReader, ruleWith(rule)],
      'allow',
      configWith('x', { type: 'static' }, ...entries),
    );

  it.each<[JsonObject, JsonObject]>([
    [{}, entryWith()],
    [{ path: '/' }, entryWith()],
    [
      { path: '/x', methods: ['GET'] },
      restrictedTo([
        { plugin: 'hello', permissionAttribute: { action: 'read' } },
      ]),
    ],
  ])('with %j reads as the subject of %j', (rule, entry) =>
    expect(read(rule, entry)[1].as).toBe('reader'),
  );

  it.each<[string, JsonObject, JsonObject[], string]>([
    [
      'an upgrade',
      { path: '/x', methods: ['WEBSOCKET'] },
      [],
      '.methods must be GET or HEAD beside as: what a public reader opens must change nothing',
    ],
    [
      'a method that writes',
      { methods: ['GET', 'POST'] },
      [],
      '.methods must be GET or HEAD',
    ],
    ...['app', 'auth', 'mcp-actions', 'proxy', 'scaffolder'].map(
      (plugin): [string, JsonObject, JsonObject[], string] => [
        plugin,
        { plugin },
        [],
        `.as is not for the plugin ${plugin}, which acts for its callers: remove as`,
      ],
    ),
    [
      'the whole plugin',
      { path: '/**' },
      [],
      '.path must name what is read beside as, such as /entities/by-query, and not the whole plugin',
    ],
    ['no subject', { as: '' }, [], '.as must be the subject of an entry'],
    ['a number', { as: 1 }, [], '.as must be the subject of an entry'],
    [
      'another subject',
      { as: 'other' },
      [entryWith()],
      '.as must be the subject of exactly one entry of backend.auth.externalAccess, of the type static; 0 have other',
    ],
    [
      'a subject that two have',
      {},
      [
        entryWith(),
        entryWith({ options: { token: 'second', subject: 'reader' } }),
      ],
      '2 have reader',
    ],
    [
      'a token of another type',
      {},
      [entryWith({ type: 'legacy' })],
      'of the type static; 1 have reader',
    ],
    [
      'another plugin',
      { plugin: 'search' },
      [entryWith()],
      NOT_READING.replace('plugin: hello', 'plugin: search'),
    ],
    [
      'a token without restrictions',
      {},
      [entryWith({ accessRestrictions: null })],
      NOT_READING,
    ],
    ['a token with none in its list', {}, [restrictedTo([])], NOT_READING],
    [
      'a token for two plugins',
      {},
      [restrictedTo([{ plugin: 'hello', ...READ }, { plugin: 'auth' }])],
      NOT_READING,
    ],
    [
      'a token for another plugin',
      {},
      [restrictedTo([{ plugin: 'auth', ...READ }])],
      NOT_READING,
    ],
    [
      'a token that may write',
      {},
      [
        restrictedTo([
          {
            plugin: 'hello',
            permissionAttribute: { action: ['read', 'update'] },
          },
        ]),
      ],
      NOT_READING,
    ],
    [
      'a token without an action',
      {},
      [restrictedTo([{ plugin: 'hello', permission: 'x' }])],
      NOT_READING,
    ],
    [
      'a token with a permission too',
      {},
      [restrictedTo([{ plugin: 'hello', permission: 'x', ...READ }])],
      NOT_READING,
    ],
  ])('[P85] is refused for %s', (_name, rule, entries, message) => {
    expect(() => read(rule, ...entries)).toThrow(/^allow\[1\]\.[^\n]+$/);
    expect(() => read(rule, ...entries)).toThrow(message);
  });
});

it('finds the readers that were not there at the start', () => {
  const rules = readAllowRules(
    [
      { plugin: 'hello', path: '/x' },
      ruleWith({ reason: 'the same', methods: ['GET'] }),
      ruleWith({ path: '/x' }),
    ],
    'allow',
    configWith(entryWith()),
  );
  expect(findAddedReaders(rules, rules.slice(0, 2))).toEqual([
    'auth.apiGate.allow[2].as',
  ]);
});

it('reads the token of a reader', () => {
  const odd = entryWith({ options: { token: 7, subject: 'odd' } });
  const config = configWith({ type: 'static' }, entryWith(), odd);
  expect(readReaderToken(config, 'reader')).toBe('of-this-test');
  expect(readReaderToken(config, 'odd')).toBeUndefined();
  expect(readReaderToken(config, 'nobody')).toBeUndefined();
});
