import { ConfigReader } from '@backstage/config';
import { InputError } from '@backstage/errors';
import type { JsonArray, JsonValue } from '@backstage/types';
import { findRemovedTokens, readTokens } from './readTokens';

const named = [
  { type: 'static', options: { token: 'x'.repeat(8), subject: 'ci' } },
  { type: 'legacy', options: { secret: 'x', subject: 'old' } },
];

const read = (
  tokens: JsonValue | undefined,
  externalAccess: JsonArray = named,
  keys: JsonArray = [],
) =>
  readTokens(
    tokens,
    'auth.apiGate.tokens',
    new ConfigReader({ backend: { auth: { externalAccess, keys } } }),
  );

const only = [{ plugin: 'a', path: '/x' }];

describe('readTokens', () => {
  it('refuses the setting on the legacy backend system', () => {
    const config = new ConfigReader({});
    expect(() => readTokens([], 'tokens', config, true)).toThrow(
      'tokens needs the new backend system, since all service tokens of the legacy one have the same subject',
    );
    expect(readTokens(undefined, 'tokens', config, true)).toEqual([]);
  });

  it('reads what each subject may do, with the grammar of allow rules', () => {
    expect(
      read([
        {
          subject: 'ci',
          only: [
            { plugin: 'a', path: '/x/*/y/**', methods: ['GET', 'POST'] },
            { plugin: 'b', path: '/ws', methods: ['WEBSOCKET'] },
          ],
          until: '2027-01-31',
          reason: 'builds',
        },
        { subject: 'ci', only },
        { subject: 'old', until: '2020-01-01T12:00:00+02:00' },
      ]),
    ).toEqual([
      {
        subject: 'ci',
        only: [
          { plugin: 'a', path: '/x/*/y/**', methods: ['GET', 'POST'] },
          { plugin: 'b', path: '/ws', methods: ['WEBSOCKET'] },
        ],
        until: Date.UTC(2027, 0, 31),
        reason: 'builds',
      },
      { subject: 'ci', only: [{ ...only[0], methods: ['GET'] }] },
      { subject: 'old', until: Date.UTC(2020, 0, 1, 10) },
    ]);
    expect(read(undefined)).toEqual([]);
  });

  it.each<[JsonValue, string]>([
    ['ci', ' must be a list of objects'],
    [
      ['ci'],
      '[0] must be an object with the keys subject, only, until, reason',
    ],
    [[{}], '[0].subject must be the subject of an external token'],
    [[{ subject: 7 }], '[0].subject must be the subject of an external token'],
    [[{ subject: 'c i' }], '[0].subject must be the subject'],
    [[{ subject: '' }], '[0].subject must be the subject'],
    [
      [{ subject: '*' }],
      '[0].subject must be the subject of an external token, and of no plugin or user, as text without spaces, or the beginning of subjects followed by one *, such as external:*',
    ],
    [[{ subject: 'external:*:a' }], '[0].subject must be the subject of an'],
    [[{ subject: 'external:a**' }], '[0].subject must be the subject of an'],
    [
      [{ subject: 'external:*', only: [] }],
      '[0].subject must be one that an entry of backend.auth.externalAccess has: add that entry, correct the subject, or remove auth.apiGate.tokens[0]',
    ],
    [
      [{ subject: 'plugin:catalog' }],
      '[0].subject must be the subject of an external token, and of no plugin or user, as text without spaces, or the beginning of subjects followed by one *, such as external:*',
    ],
    [
      [{ subject: 'user:default/jane' }],
      '[0].subject must be the subject of an',
    ],
    [
      [{ subject: 'USER:default/jane' }],
      '[0].subject must be the subject of an',
    ],
    [
      [{ subject: 'ci' }, { subject: 'cii' }],
      '[1].subject must be one that an entry of backend.auth.externalAccess has (did you mean ci?): add that entry, correct the subject, or remove auth.apiGate.tokens[1]',
    ],
    [
      [{ subject: 'ci' }, { subject: 'deploy' }],
      '[1].subject must be one that an entry of backend.auth.externalAccess has, such as ci: add that entry, correct the subject, or remove auth.apiGate.tokens[1]',
    ],
    ...['CI', 'external:ci'].map((subject): [JsonValue, string] => [
      [{ subject }],
      '[0].subject must be one that an entry of backend.auth.externalAccess has (did you mean ci?): add that entry',
    ]),
    [
      [{ subject: 'external:backstage-plugin' }],
      '[0].subject must be one that an entry',
    ],
    [
      [{ subject: 'ci', only }, { subject: 'ci' }],
      '[1].subject is in auth.apiGate.tokens[0] too: write one entry, or give each of them a list of requests as only',
    ],
    [
      [{ subject: 'ci' }, { subject: 'ci', only }],
      '[1].subject is in auth.apiGate.tokens[0] too: write one entry',
    ],
    [
      [{ subject: 'ci', until: '2027-01-01' }, { subject: 'ci' }],
      '[1].subject is in auth.apiGate.tokens[0] too: write one entry',
    ],
    [
      [
        { subject: 'ci', only },
        { subject: 'ci', only: 'all' },
      ],
      '[1].subject is in auth.apiGate.tokens[0] too: write one entry, or give each',
    ],
    [
      [{ subject: 'ci', only: [] }],
      '[0].only must be a list with one request or more, each with a plugin and a path, or all; only a subject that ends with * may have an empty list',
    ],
    [[{ subject: 'ci', only: 'All' }], '[0].only must be a list with one'],
    [[{ subject: 'ci', only: {} }], '[0].only must be a list with one request'],
    [[{ subject: 'ci', only: null }], '[0].only must be a list with one'],
    [
      [{ subject: 'ci', onyl: only }],
      '[0].onyl is not known (did you mean only?): use subject',
    ],
    [
      [{ subject: 'ci', only: [{ ...only[0], reason: 'x' }] }],
      '[0].only[0].reason is not known: use plugin, path, methods',
    ],
    [
      [{ subject: 'ci', only: [{ plugin: 'a', path: '/x/' }] }],
      '[0].only[0].path must not end with a slash: write /x',
    ],
    [
      [{ subject: 'ci', only: [{ plugin: 'a', path: '/x', methods: ['*'] }] }],
      '[0].only[0].methods[0] must be a method that a rule can name',
    ],
    [
      [
        {
          subject: 'ci',
          only: [{ plugin: 'a', path: '/**', methods: ['WEBSOCKET'] }],
        },
      ],
      '[0].only[0].path must be exact for the method WEBSOCKET',
    ],
    [[{ subject: 'ci', until: 'soon' }], '[0].until must be a date'],
    [[{ subject: 'ci', until: '' }], '[0].until must be a date'],
    [[{ subject: 'ci', reason: 7 }], '[0].reason must be text'],
  ])('refuses %j', (tokens, message) => {
    expect(() => read(tokens)).toThrow(InputError);
    expect(() => read(tokens)).toThrow(`auth.apiGate.tokens${message}`);
    expect(() => read(tokens)).toThrow(/^[^\n]+$/);
  });

  it.each<[string, JsonArray, boolean]>([
    ['external:a', [{ type: 'jwks', options: { url: 'https://a' } }], true],
    ['external:', [{ type: 'jwks', options: { url: 'https://a' } }], false],
    ['a', [{ type: 'jwks', options: { url: 'https://a' } }], false],
    [
      'external:p:a',
      [{ type: 'jwks', options: { url: 'https://a', subjectPrefix: 'p' } }],
      true,
    ],
    [
      'external:a',
      [{ type: 'jwks', options: { url: 'https://a', subjectPrefix: 'p' } }],
      false,
    ],
    // The handler of an adopter's may make any subject.
    ['a', [{ type: 'own', options: {} }], true],
    ['a', [{}], false],
    ['plugin:a', [{ type: 'own', options: {} }], false],
  ])(
    'the subject %s with %j is possible: %s',
    (subject, access, isPossible) => {
      let taken: unknown;
      try {
        taken = read([{ subject }], access);
      } catch (error) {
        taken = (error as Error).name;
      }
      expect(taken).toEqual(isPossible ? [{ subject }] : 'InputError');
    },
  );

  const issuer = (subjectPrefix?: string) => ({
    type: 'jwks',
    options: { url: 'https://a', ...(subjectPrefix && { subjectPrefix }) },
  });

  it.each<[string, JsonArray]>([
    ['external:*', [issuer()]],
    ['external:entra:*', [issuer()]],
    ['external:*', [issuer('entra')]],
    ['external:en*', [issuer('entra')]],
    ['external:entra:*', [issuer('entra')]],
    ['external:entra:ci-*', [issuer('gh'), issuer('entra')]],
    // The handler of an adopter's may make any subject.
    ['bot-*', [{ type: 'own', options: {} }]],
  ])('reads the default for %s with %j', (subject, access) => {
    const entry = { subject, only: [] };
    expect(read([entry], access)).toEqual([entry]);
  });

  it.each<[string, JsonArray, string]>([
    [
      'external:entr:*',
      [...named, issuer('gh'), issuer('entra')],
      ' has (did you mean external:entra:*?): add that entry',
    ],
    [
      'external:ci*',
      [...named, issuer('entra')],
      ' has, such as external:entra:*: add',
    ],
    ['ext*', [issuer()], ' has, such as external:*: add that entry'],
    ['external*', [issuer()], ' has (did you mean external:*?): add'],
    ['ci*', named, ' has: add that entry'],
    ['gh:*', [issuer('gh')], ' has (did you mean external:gh:*?): add'],
  ])('refuses the default for %s with %j', (subject, access, error) => {
    const reading = () => read([{ subject, only: [] }], access);
    expect(reading).toThrow(
      `auth.apiGate.tokens[0].subject must be one that an entry of backend.auth.externalAccess${error}`,
    );
    expect(reading).toThrow(/^[^\n]+$/);
  });

  it('names the subject of a jwks entry that is written without its beginning', () => {
    expect(() => read([{ subject: 'gh:repo' }], [issuer('gh')])).toThrow(
      ' has (did you mean external:gh:repo?): add that entry',
    );
  });

  it('refuses two defaults for the same subjects', () => {
    const entry = { subject: 'external:*', only };
    expect(() => read([entry, entry], [issuer()])).toThrow(
      /^auth\.apiGate\.tokens\[1\]\.subject is in auth\.apiGate\.tokens\[0\] too: write one entry$/,
    );
    const longer = { subject: 'external:a*', only: 'all', until: '2027-01-31' };
    expect(read([entry, longer], [issuer()])).toMatchObject([
      { subject: 'external:*' },
      { subject: 'external:a*', only: 'all', until: Date.UTC(2027, 0, 31) },
    ]);
  });

  it('takes the subject of older settings', () => {
    const subject = 'external:backstage-plugin';
    expect(read([{ subject }], [], [{ secret: 'x' }])).toEqual([{ subject }]);
  });
});

describe('findRemovedTokens', () => {
  const configOf = (...externalAccess: JsonArray) =>
    new ConfigReader({ backend: { auth: { externalAccess } } });
  const jwks = { type: 'jwks', options: { url: 'https://a' } };
  const tokens = [{ subject: 'ci' }, { subject: 'external:a' }];
  const find = (after: typeof tokens, ...access: JsonArray) =>
    findRemovedTokens(
      { tokens },
      { tokens: after },
      ['ci'],
      configOf(...access),
    ).map(({ subject }) => subject);

  it('finds the entries of tokens that Backstage accepts until a restart', () => {
    expect(find([], jwks)).toEqual(['ci']);
    expect(find([], ...named)).toEqual(['external:a']);
    expect(find([])).toEqual(['ci', 'external:a']);
  });

  it('finds each default that a change removes, whatever its issuer', () => {
    const before = [{ subject: 'external:*' }, { subject: 'external:a*' }];
    const findOf = (after: typeof tokens, ...access: JsonArray) =>
      findRemovedTokens(
        { tokens: before },
        { tokens: after },
        ['ci'],
        configOf(...access),
      );
    expect(findOf([], jwks)).toEqual(before);
    expect(findOf([])).toEqual(before);
    expect(findOf([before[1]], jwks)).toEqual([before[0]]);
    expect(findOf(before, jwks)).toEqual([]);
  });

  it('keeps no exemption from the limits of a default', () => {
    const before = [
      { subject: 'external:*', only: [] },
      { subject: 'ci', only: 'all' as const, until: 1 },
    ];
    const after = { tokens: [before[0]] as typeof before };
    const config = configOf(jwks);
    expect(
      findRemovedTokens({ tokens: before }, after, ['ci'], config),
    ).toEqual([{ subject: 'ci', until: 1 }]);
  });

  it('finds none that stays, or whose subject is still named', () => {
    expect(find(tokens, jwks)).toEqual([]);
    expect(find([], ...named, jwks)).toEqual([]);
  });
});
