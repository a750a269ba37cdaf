import { ConfigReader } from '@backstage/config';
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

  it('takes the subject of older settings', () => {
    const subject = 'external:backstage-plugin';
    const entry = { subject, only: 'all' };
    expect(read([entry], [], [{ secret: 'x' }])).toEqual([entry]);
  });
});
