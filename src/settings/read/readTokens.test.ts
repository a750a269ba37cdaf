import { ConfigReader } from '@backstage/config';
import { InputError } from '@backstage/errors';
import type { JsonArray, JsonValue } from '@backstage/types';
import { readTokens } from './readTokens';

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
    expect(readTokens(undefined, 'tokens', config, true)).toBeUndefined();
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
        { subject: 'old', only: 'all', until: '2020-01-01T12:00:00+02:00' },
        { subject: 'old', only: 'all' },
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
      { subject: 'old', only: 'all', until: Date.UTC(2020, 0, 1, 10) },
      { subject: 'old', only: 'all' },
    ]);
    // A key without a value has no entry, which closes.
    for (const none of [[], null]) {
      expect(read(none)).toEqual([]);
    }
    expect(read(undefined)).toBeUndefined();
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
      [
        { subject: 'ci', only },
        { subject: 'cii', only },
      ],
      '[1].subject must be one that an entry of backend.auth.externalAccess has (did you mean ci?): add that entry, correct the subject, or remove auth.apiGate.tokens[1]',
    ],
    [
      [
        { subject: 'ci', only },
        { subject: 'deploy', only },
      ],
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
    // A lost line must not allow more.
    ...[{}, { until: '2999-01-01' }, { only: undefined }].map(
      (lost): [JsonValue, string] => [
        [{ subject: 'ci', ...lost } as JsonValue],
        '[0].only must be a list with one request or more, each with a plugin and a path, or all for every request',
      ],
    ),
    [
      [{ subject: 'ci', only: [] }],
      '[0].only must be a list with one request or more, each with a plugin and a path, or all for every request; only a subject that ends with * may have an empty list',
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
    [[{ subject: 'ci', only, until: 'soon' }], '[0].until must be a date'],
    [[{ subject: 'ci', only, until: '' }], '[0].until must be a date'],
    [[{ subject: 'ci', only, reason: 7 }], '[0].reason must be text'],
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
        taken = read([{ subject, only: 'all' }], access);
      } catch (error) {
        taken = (error as Error).name;
      }
      expect(taken).toEqual(
        isPossible ? [{ subject, only: 'all' }] : 'InputError',
      );
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

  it('takes the subject of older settings', () => {
    const subject = 'external:backstage-plugin';
    const entry = { subject, only: 'all' };
    expect(read([entry], [], [{ secret: 'x' }])).toEqual([entry]);
  });
});
