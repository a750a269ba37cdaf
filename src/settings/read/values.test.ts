import { InputError } from '@backstage/errors';
import {
  asObject,
  didYouMean,
  isObject,
  isTrue,
  readDuration,
  readInstant,
  readList,
  readStringList,
} from './values';

it.each([
  [{}, true],
  [{ a: 1 }, true],
  [[], false],
  [null, false],
  ['text', false],
  [undefined, false],
])('isObject(%j) is %s', (value, expected) => {
  expect(isObject(value)).toBe(expected);
  expect(asObject(value)).toEqual(expected ? value : {});
});

it.each([
  ...[true, 1, 'true', 'y', 'yes', 'on', '1', 'TRUE', ' on\n'].map(
    value => [value, true] as const,
  ),
  ...[false, 0, 'false', 'no', '', 'trues', 'untrue', '10', undefined].map(
    value => [value, false] as const,
  ),
  // Their texts are true.
  [['true'], false] as const,
  [{ toString: () => 'true' }, false] as const,
])('isTrue(%j) is %s', (value, expected) => {
  expect(isTrue(value)).toBe(expected);
});

describe('didYouMean', () => {
  const NAMES = ['is', 'allow', 'until', 'expect', 'trustedOrigins'];

  it.each([
    ['expects', 'expect'],
    ['expct', 'expect'],
    ['expcet', 'expect'],
    ['xepcet', 'expect'],
    ['ecpwct', 'expect'],
    ['exp', undefined],
    ['alow', 'allow'],
    ['aloww', undefined],
    ['lalwo', undefined],
    ['untli', 'until'],
    ['trustedorigin', 'trustedOrigins'],
    ['iss', 'is'],
    ['it', undefined],
    ['i', undefined],
    ['', undefined],
  ])('%j: %s', (text, meant) => {
    const note = meant === undefined ? '' : ` (did you mean ${meant}?)`;
    expect(didYouMean(text, NAMES)).toBe(note);
  });

  it.each([
    ['@backstage/plugin-catalog-backend', 'catalog'],
    ['@acme/backstage-plugin-catalog-backend', 'catalog'],
    ['plugin-catalog', 'catalog'],
    ['catalog-backend-module-github', 'catalog'],
    ['Catalog', 'catalog'],
    ['external:ci', 'ci'],
    ['CI', 'ci'],
    ['x-backend', undefined],
    ['plugin-', undefined],
  ])('takes %j for %s', (text, meant) => {
    const note = meant === undefined ? '' : ` (did you mean ${meant}?)`;
    expect(didYouMean(text, ['catalog', 'ci'])).toBe(note);
  });

  it('names the one that resembles the text most, and nothing without names', () => {
    expect(didYouMean('catalgo', ['catal', 'catalog'])).toContain(' catalog?');
    expect(didYouMean('catalog', [])).toBe('');
    expect(didYouMean('catalog', ['catalogs', 'catalog'])).toBe('');
  });
});

describe('lists', () => {
  const read = (value: unknown) =>
    readList(value, 'x', 'a list of things', (item, path) => [item, path]);

  it('are read item by item, and are empty if they are left out', () => {
    expect(read(['a', 'b'])).toEqual([
      ['a', 'x[0]'],
      ['b', 'x[1]'],
    ]);
    expect(read(undefined)).toEqual([]);
    expect(() => read({})).toThrow(
      new InputError(
        'x must be a list of things: begin each entry with "- ", in a line of its own',
      ),
    );
  });

  it('of texts have valid ones only', () => {
    const item = {
      isValid: (text: string) => text !== 'b',
      description: 'no b',
    };
    expect(readStringList(['a', 'b'], 'x')).toEqual(['a', 'b']);
    expect(readStringList(undefined, 'x', item)).toEqual([]);
    expect(readStringList(['a', 'c'], 'x', item)).toEqual(['a', 'c']);
    expect(() => readStringList(['a', 'b'], 'x', item)).toThrow(
      new InputError('x[1] must be no b'),
    );
  });
});

describe('readInstant', () => {
  it.each([
    ['2026-12-31', '2026-12-31T00:00:00.000Z'],
    ['2026-12-31T18:00Z', '2026-12-31T18:00:00.000Z'],
    ['2026-12-31T18:00:07Z', '2026-12-31T18:00:07.000Z'],
    ['2026-12-31T18:00:07.25Z', '2026-12-31T18:00:07.250Z'],
    ['2026-12-31T18:00:07.5-05:30', '2026-12-31T23:30:07.500Z'],
    // It is another day in UTC.
    ['2026-12-31T00:30+02:00', '2026-12-30T22:30:00.000Z'],
    ['2028-02-29', '2028-02-29T00:00:00.000Z'],
  ])('reads %s', (text, instant) => {
    expect(readInstant(text, 'x')?.toISOString()).toBe(instant);
  });

  it('reads nothing as undefined', () => {
    expect(readInstant(undefined, 'x')).toBeUndefined();
  });

  it.each([
    ...['', 'tomorrow', '2026', '31.12.2026', '2026-12-31T18:00'],
    ...[
      '2026-02-29',
      '2026-02-30',
      '2026-13-01',
      '2026-12-31T25:00Z',
      '+012026-12-31',
    ],
    ...['2026-12-31 18:00Z', '2026-12-31T18:00Zx', '2026-12-31T18Z'],
    ...[null, 20261231, 1_800_000_000, true, ['2026-12-31'], new Date()],
  ])('refuses %j', value => {
    expect(() => readInstant(value, 'x')).toThrow(
      new InputError(
        'x must be a date such as 2026-12-31, or an instant with a zone such as 2026-12-31T18:00:00Z',
      ),
    );
  });
});

describe('readDuration', () => {
  const read = (value: unknown, defaultSeconds = 30) =>
    readDuration(value, 'x', { defaultSeconds, min: '1s', max: '5d' });

  it.each([
    [undefined, 30_000],
    ['1s', 1_000],
    ['PT2S', 2_000],
    [{ minutes: 1 }, 60_000],
    ['5d', 5 * 24 * 60 * 60 * 1000],
  ])('reads %j', (value, expected) => {
    expect(read(value)).toBe(expected);
  });

  it.each([
    [30, '30s or { seconds: 30 }'],
    [24 * 60 * 60 - 1, '86399s or { seconds: 86399 }'],
  ])('names a default of %d seconds as %s', (seconds, example) => {
    for (const value of ['999ms', '121h', 5, 'soon', {}, null]) {
      expect(() => read(value, seconds)).toThrow(
        new InputError(
          `x must be a duration from 1s to 5d, such as ${example}`,
        ),
      );
    }
  });
});
