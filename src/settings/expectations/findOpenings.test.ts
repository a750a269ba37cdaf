import { partition } from 'lodash';
import { readAllowRules } from '../read/readAllowRules';
import { findOpenings, Opening } from './findOpenings';

const rules = (...written: [path: string, ...methods: string[]][]) =>
  readAllowRules(
    written.map(([path, ...methods]) => ({
      plugin: 'one',
      path,
      ...(methods.length && { methods }),
    })),
    'allow',
  );

const lines = (changes: Opening[]) =>
  changes.map(
    ({ methods, plugin, path }) => `${methods} /api/${plugin}${path}`,
  );

const isNew = ({ otherUntil }: Opening) => otherUntil === undefined;

/** Compares both ways. */
function compare(
  before: ReturnType<typeof rules>,
  after: ReturnType<typeof rules>,
  now?: number,
) {
  const [opened, longer] = partition(findOpenings(after, before, now), isNew);
  const [closed, shorter] = partition(findOpenings(before, after, now), isNew);
  return { opened, closed, longer, shorter };
}

const NO_DIFFERENCE = { opened: [], closed: [], longer: [], shorter: [] };

describe('findOpenings', () => {
  it.each<[string, ReturnType<typeof rules>, ReturnType<typeof rules>]>([
    ['the order', rules(['/a'], ['/b']), rules(['/b'], ['/a'])],
    ['a split', rules(['/a', 'GET', 'POST']), rules(['/a', 'POST'], ['/a'])],
    ['a repetition', rules(['/a']), rules(['/a'], ['/a'])],
    [
      'a narrower rule',
      rules(['/a/**']),
      rules(['/a/b'], ['/a/b/**'], ['/a/**']),
    ],
    ['HEAD beside GET', rules(['/a']), rules(['/a', 'HEAD', 'GET'])],
    ['the root below it', rules(['/**']), rules(['/'], ['/**'])],
    ['a segment below it', rules(['/a/**']), rules(['/a/*'], ['/a/**'])],
    ['a literal for *', rules(['/a/*/b']), rules(['/a/x/b'], ['/a/*/b'])],
    [
      'a subtree in two parts',
      rules(['/a/**']),
      rules(['/a/*'], ['/a/*/**'], ['/a/*/b/**']),
    ],
    [
      'a subtree in three parts',
      rules(['/a/**']),
      rules(['/a/*'], ['/a/*/*'], ['/a/*/*/**']),
    ],
  ])('finds no difference in %s', (_, before, after) => {
    expect(compare(before, after)).toEqual(NO_DIFFERENCE);
    expect(compare(after, before)).toEqual(NO_DIFFERENCE);
  });

  it('has each path once, with its rule and all methods', () => {
    const [a, b] = rules(['/a'], ['/b', 'POST', 'PUT']);
    expect(compare([], [a, b, { ...a, reason: 'x' }])).toStrictEqual({
      ...NO_DIFFERENCE,
      opened: [
        { plugin: 'one', path: '/a', rule: a, methods: ['GET', 'HEAD'] },
        { plugin: 'one', path: '/b', rule: b, methods: ['POST', 'PUT'] },
      ],
    });
  });

  it.each([
    ['before', rules(['/a/b'], ['/a/b/**'], ['/a/**'])],
    ['after', rules(['/a/**'], ['/a/b'], ['/a/b/**'])],
  ])('leaves out a narrower rule %s a wider one', (_, after) => {
    expect(lines(compare([], after).opened)).toEqual([
      'GET,HEAD /api/one/a/**',
    ]);
  });

  it('keeps plugins apart', () => {
    const [a] = rules(['/a']);
    const other = { ...a, plugin: 'two' };
    expect(compare([a], [other])).toMatchObject({
      opened: [{ plugin: 'two' }],
      closed: [{ plugin: 'one' }],
    });
  });

  it('finds no difference in a reason', () => {
    const [rule] = rules(['/a']);
    expect(compare([{ ...rule, reason: 'x' }], [rule])).toEqual(NO_DIFFERENCE);
  });

  it.each<
    [
      string,
      ReturnType<typeof rules>,
      ReturnType<typeof rules>,
      string[],
      string[],
    ]
  >([
    ['a rule', [], rules(['/a']), ['GET,HEAD /api/one/a'], []],
    [
      'a method',
      rules(['/a']),
      rules(['/a', 'GET', 'POST']),
      ['POST /api/one/a'],
      [],
    ],
    [
      'a subtree for a path',
      rules(['/a']),
      rules(['/a/**']),
      ['GET,HEAD /api/one/a/**'],
      ['GET,HEAD /api/one/a'],
    ],
    [
      'a wider subtree',
      rules(['/a/b/**'], ['/a/x']),
      rules(['/a/**']),
      ['GET,HEAD /api/one/a/**'],
      [],
    ],
    [
      'HEAD alone',
      rules(['/a', 'HEAD']),
      rules(['/a']),
      ['GET /api/one/a'],
      [],
    ],
    [
      'GET beside HEAD',
      [],
      rules(['/a', 'HEAD', 'GET']),
      ['HEAD,GET /api/one/a'],
      [],
    ],
    [
      'WebSockets',
      rules(['/a']),
      rules(['/a'], ['/a', 'WEBSOCKET']),
      ['WEBSOCKET /api/one/a'],
      [],
    ],
    [
      'any segment for one',
      rules(['/a/b/c']),
      rules(['/a/*/c']),
      ['GET,HEAD /api/one/a/*/c'],
      [],
    ],
    [
      'a subtree for one segment',
      rules(['/a/*']),
      rules(['/a/**']),
      ['GET,HEAD /api/one/a/**'],
      [],
    ],
    [
      'a part of a subtree',
      rules(['/a/*'], ['/a/*/b/**']),
      rules(['/a/**']),
      ['GET,HEAD /api/one/a/**'],
      [],
    ],
    [
      'a longer word',
      rules(['/a/**']),
      rules(['/ab']),
      ['GET,HEAD /api/one/ab'],
      ['GET,HEAD /api/one/a/**'],
    ],
  ])('finds %s', (_, before, after, opened, closed) => {
    const difference = compare(before, after);
    expect(lines(difference.opened)).toEqual(opened);
    expect(lines(difference.closed)).toEqual(closed);
    const back = compare(after, before);
    expect(lines(back.opened)).toEqual(closed);
    expect(lines(back.closed)).toEqual(opened);
  });

  const NOW = Date.parse('2026-06-01');
  const ending = (path: string, until?: string) =>
    readAllowRules([{ plugin: 'one', path, ...(until && { until }) }], 'allow');
  const ends = (changes: Opening[]) =>
    changes.map(({ path, until, otherUntil }) => [path, until, otherUntil]);
  const SOON = '2026-07-01';
  const LATER = '2026-08-01';
  const [soon, later] = [SOON, LATER].map(date => Date.parse(date));

  it.each<[string, string | undefined, string | undefined]>([
    ['an end', undefined, SOON],
    ['an earlier end', LATER, SOON],
  ])('[P37] finds %s, which changes nothing yet', (_, first, second) => {
    const before = ending('/a/**', first);
    const after = ending('/a/**', second);
    const old = first && Date.parse(first);
    expect(compare(before, after, NOW)).toMatchObject({
      opened: [],
      closed: [],
      longer: [],
      shorter: [{ path: '/a/**', methods: ['GET', 'HEAD'], otherUntil: soon }],
    });
    const back = compare(after, before, NOW);
    expect(back).toMatchObject({ opened: [], closed: [], shorter: [] });
    expect(ends(back.longer)).toEqual([['/a/**', old, soon]]);
  });

  it('[P37] takes a rule that has ended for none', () => {
    const ended = ending('/a', '2026-06-01');
    expect(compare(ended, [], NOW)).toEqual(NO_DIFFERENCE);
    expect(compare([], ended, NOW)).toEqual(NO_DIFFERENCE);
    expect(compare(ended, ending('/a'), NOW).opened).toHaveLength(1);
    expect(compare(ended, [], NOW - 1).closed).toHaveLength(1);
  });

  it.each([
    ['before', SOON, undefined],
    ['after', undefined, SOON],
  ])(
    'leaves out a rule %s one for its path that ends later',
    (_, first, second) => {
      const after = [...ending('/a', first), ...ending('/a', second)];
      const { opened } = compare([], after, NOW);
      expect(ends(opened)).toEqual([['/a', undefined, undefined]]);
      expect(lines(opened)).toEqual(['GET,HEAD /api/one/a']);
    },
  );

  it('keeps a narrower rule that ends later than the wider one', () => {
    const after = [...ending('/a/**', SOON), ...ending('/a/b', LATER)];
    expect(ends(compare([], after, NOW).opened)).toEqual([
      ['/a/**', soon, undefined],
      ['/a/b', later, undefined],
    ]);
  });

  it('compares the end of a path with the last end of the rules that cover it', () => {
    const before = [...ending('/a/*', LATER), ...ending('/a/*/**', SOON)];
    const after = ending('/a/**', LATER);
    const { longer, shorter } = compare(before, after, NOW);
    expect(ends(longer)).toEqual([['/a/**', later, soon]]);
    expect(shorter).toEqual([]);
    // The end of the narrower rule has no effect.
    const narrower = [...ending('/a/**'), ...ending('/a/b', SOON)];
    expect(compare(ending('/a/**'), narrower, NOW)).toEqual(NO_DIFFERENCE);
  });
});
