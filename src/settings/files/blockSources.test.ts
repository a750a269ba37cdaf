import { ConfigReader } from '@backstage/config';
import type { JsonObject, JsonValue } from '@backstage/types';
import { checkBlockSources, findBlockSources } from './blockSources';

/** Layers files as Backstage does: later ones are stronger. */
const layered = (...layers: [file: string, data: JsonObject][]) =>
  ConfigReader.fromConfigs(
    layers.map(([context, data]) => ({ context, data })),
  );
const gate = (apiGate: JsonValue): JsonObject => ({ auth: { apiGate } });

const before = findBlockSources(
  layered(
    ['a.yaml', gate({ mode: 'report-only' })],
    ['b.yaml', gate({ allow: [] })],
    ['c.yaml', { app: {} }],
  ),
);
const check = (
  a: JsonObject,
  b: JsonObject,
  c: JsonObject = {},
  unreadable: string[] = [],
) =>
  checkBlockSources(
    before,
    layered(['a.yaml', a], ['b.yaml', b], ['c.yaml', c]),
    unreadable,
  );

const gone = (...names: string[]) =>
  `auth.apiGate is gone from ${names.join(', ')}, or can't be read there, or the file ends within a line: write it again, as {} if it needs no settings; to remove it, restart the backend`;

describe('[P100] a change', () => {
  it.each<[string, JsonValue, JsonValue]>([
    ['other values', { mode: 'enforce' }, { allow: [{}] }],
    ['no rules', {}, { allow: [] }],
    ['no settings', {}, {}],
    ['a wrong value, which another check refuses', false, ''],
  ])('may have %s', (_, a, b) =>
    expect(() => check(gate(a), gate(b), gate({}))).not.toThrow(),
  );

  it.each<[string, JsonObject, JsonObject, string[]]>([
    ['an empty file', {}, gate({}), ['a.yaml']],
    ['no section', gate({}), { app: {} }, ['b.yaml']],
    ['a section without a value', { auth: null } as any, gate({}), ['a.yaml']],
    ['a key without a value', gate(null), gate({}), ['a.yaml']],
    // The stronger file takes away what the weaker one has.
    [
      'such a key in the stronger file',
      gate({}),
      gate(null),
      ['b.yaml', 'a.yaml'],
    ],
    ['two empty files', {}, {}, ['b.yaml', 'a.yaml']],
  ])('is no policy with %s', (_, a, b, names) =>
    expect(() => check(a, b)).toThrow(gone(...names)),
  );

  it('is no policy where a file that gave a value can not be read', () => {
    expect(() => check(gate({}), gate({}), {}, ['b.yaml'])).toThrow(
      gone('b.yaml'),
    );
    expect(() => check(gate({}), gate({}), {}, ['c.yaml'])).not.toThrow();
  });

  it('is no policy where one of two files with one name is empty', () => {
    const two = layered(['a.yaml', gate({})], ['a.yaml', gate({})]);
    const sources = findBlockSources(two);
    expect(() => checkBlockSources(sources, two, [])).not.toThrow();
    const one = layered(['a.yaml', gate({})], ['a.yaml', {}]);
    expect(() => checkBlockSources(sources, one, [])).toThrow(gone('a.yaml'));
  });

  it('may be any where no file gave a value, as after a start without one', () => {
    const none = findBlockSources(layered(['a.yaml', gate(null)]));
    for (const data of [{}, gate({}), gate(null)]) {
      const config = layered(['a.yaml', data]);
      expect(() => checkBlockSources(none, config, ['a.yaml'])).not.toThrow();
    }
  });

  it('is none without the value that no file of the configuration shows', () => {
    const hidden = (data: JsonObject) =>
      ({ getOptional: (key: string) => data[key] }) as any;
    const sources = findBlockSources(hidden({ 'auth.apiGate': {} }));
    expect(() =>
      checkBlockSources(sources, hidden({ 'auth.apiGate': {} }), []),
    ).not.toThrow();
    expect(() => checkBlockSources(sources, hidden({}), [])).toThrow(
      gone('the configuration'),
    );
  });

  it('keeps auth.apiGate.tokens, by file, beside a block that stays', () => {
    const list = [{ subject: 'ci', only: 'all' }];
    const files = (a: JsonObject, b: JsonObject = {}) =>
      layered(['a.yaml', gate(a)], ['b.yaml', gate(b)]);
    const sources = findBlockSources(files({ tokens: list }, { tokens: [] }));
    const checkTokens = (config: ReturnType<typeof files>, unreadable = '') =>
      checkBlockSources(sources, config, [unreadable]);
    const tokensGone = (...names: string[]) =>
      `auth.apiGate.tokens is gone from ${names.join(', ')}, or can't be read there, or the file ends within a line: write it again, as [] if external tokens may call nothing; to remove it, restart the backend`;
    expect(() =>
      checkTokens(files({ tokens: [] }, { tokens: list })),
    ).not.toThrow();
    expect(() => checkTokens(files({ tokens: list }))).toThrow(
      tokensGone('b.yaml'),
    );
    expect(() => checkTokens(files({}, { tokens: [] }))).toThrow(
      tokensGone('a.yaml'),
    );
    // The stronger file takes away what the weaker one has.
    expect(() =>
      checkTokens(files({ tokens: list }, { tokens: null })),
    ).toThrow(tokensGone('b.yaml', 'a.yaml'));
    expect(() => checkTokens(files({}, {}))).toThrow(
      tokensGone('b.yaml', 'a.yaml'),
    );
    // The whole block includes it.
    const without = layered(['a.yaml', {}], ['b.yaml', gate({ tokens: [] })]);
    expect(() => checkTokens(without)).toThrow(gone('a.yaml'));
  });
});
