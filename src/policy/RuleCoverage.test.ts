import { covers, coveredUntil, coverageOf } from './RuleCoverage';

const coverage = (path: string, until?: number) => coverageOf({ path, until });

it('splits the path of a rule', () => {
  expect(coverageOf({ path: '/a/*/**', until: 7 })).toEqual({
    segments: ['a', '*'],
    isSubtree: true,
    end: 7,
  });
  expect(coverage('/')).toEqual({
    segments: [],
    isSubtree: false,
    end: Infinity,
  });
});

describe('covers', () => {
  it.each([
    ['/a', '/a'],
    ['/a/*', '/a/b'],
    ['/a/*', '/a/*'],
    ['/*/b', '/a/b'],
    ['/**', '/'],
    ['/**', '/a'],
    ['/**', '/**'],
    ['/a/**', '/a/b'],
    ['/a/**', '/a/b/c'],
    ['/a/**', '/a/**'],
    ['/a/**', '/a/b/**'],
    ['/a/*/**', '/a/b/c'],
    ['/a/*/**', '/a/b/**'],
  ])('is true for %s and %s', (wide, narrow) => {
    expect(covers(coverage(wide), coverage(narrow))).toBe(true);
  });

  it.each([
    ['/a', '/b'],
    ['/a', '/a/b'],
    ['/a/b', '/a'],
    ['/a/b', '/c/b'],
    ['/a/b', '/a/*'],
    ['/a/*', '/a'],
    ['/a', '/a/**'],
    ['/a/**', '/a'],
    ['/a/**', '/'],
    ['/a/**', '/**'],
    ['/a/**', '/b/c'],
    ['/a/b/**', '/a/**'],
    ['/a/*/**', '/a/**'],
    ['/a/*/**', '/a/b'],
    ['/*/**', '/**'],
  ])('is false for %s and %s', (wide, narrow) => {
    expect(covers(coverage(wide), coverage(narrow))).toBe(false);
  });
});

describe('coveredUntil', () => {
  it.each<[string, string[], number]>([
    ['/a', [], -Infinity],
    ['/a', ['/b'], -Infinity],
    ['/a', ['/a'], Infinity],
    ['/a/b', ['/a/**'], Infinity],
    // A subtree is a segment and the subtree below it.
    ['/a/**', ['/a/*', '/a/*/**'], Infinity],
    ['/a/**', ['/a/*', '/a/*/*', '/a/*/*/**'], Infinity],
    ['/a/**', ['/a/*'], -Infinity],
    ['/a/**', ['/a/*/**'], -Infinity],
    ['/a/**', ['/a/*', '/a/*/b/**'], -Infinity],
    ['/a/**', ['/a/b', '/a/*/**'], -Infinity],
    // The path itself is not below it.
    ['/a', ['/a/*', '/a/*/**'], -Infinity],
    ['/**', ['/*', '/*/**'], Infinity],
  ])('%s is covered by %j until %d', (path, others, expected) => {
    const patterns = others.map(other => coverage(other));
    expect(coveredUntil(patterns, coverage(path))).toBe(expected);
  });

  it('is the last end of those that cover a path, and the first of those that do so together', () => {
    const end = (path: string, ...others: [path: string, until: number][]) =>
      coveredUntil(
        others.map(([other, until]) => coverage(other, until)),
        coverage(path),
      );
    expect(end('/a', ['/a', 7], ['/*', 5])).toBe(7);
    expect(end('/a', ['/*', 5], ['/a', 7])).toBe(7);
    expect(end('/a/**', ['/a/*', 7], ['/a/*/**', 5])).toBe(5);
    expect(end('/a/**', ['/a/*', 5], ['/a/*/**', 7])).toBe(5);
    expect(end('/a/**', ['/a/*', 5], ['/a/*/**', 7], ['/a/**', 6])).toBe(6);
    expect(end('/a/**', ['/a/*', 5], ['/a/*/**', 7], ['/a/**', 4])).toBe(5);
  });
});
