import { AllowList } from '../../gate/rules/AllowList';
import type { AllowRule } from '../../gate/rules/AllowRule';
import { coveredUntil, findCovering } from './coverage';

const rule = (path: string): AllowRule => ({
  plugin: 'pub',
  path,
  methods: ['GET'],
});

describe('the rules that cover a rule', () => {
  const ending = (path: string, until?: number) => ({ ...rule(path), until });

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
  ])('has %s, which covers %s', (wide, narrow) => {
    const covering = rule(wide);
    const list = new AllowList([covering, rule('/other')]);
    expect(findCovering(list, rule(narrow), 'GET')).toEqual([covering]);
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
  ])('lacks %s, which does not cover %s', (wide, narrow) => {
    const list = new AllowList([rule(wide)]);
    expect(findCovering(list, rule(narrow), 'GET')).toEqual([]);
  });

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
  ])('cover %s by %j until %d', (path, others, expected) => {
    const list = new AllowList(others.map(other => rule(other)));
    expect(coveredUntil(list, rule(path), 'GET')).toBe(expected);
    expect(coveredUntil(list, rule(path), 'POST')).toBe(-Infinity);
  });

  it('cover it until the last end of those that each cover it, and until the first of those that do so together', () => {
    const end = (path: string, ...others: [path: string, until: number][]) =>
      coveredUntil(
        new AllowList(others.map(other => ending(...other))),
        rule(path),
        'GET',
      );
    expect(end('/a', ['/a', 7], ['/*', 5])).toBe(7);
    expect(end('/a', ['/*', 5], ['/a', 7])).toBe(7);
    expect(end('/a/**', ['/a/*', 7], ['/a/*/**', 5])).toBe(5);
    expect(end('/a/**', ['/a/*', 5], ['/a/*/**', 7])).toBe(5);
    expect(end('/a/**', ['/a/*', 5], ['/a/*/**', 7], ['/a/**', 6])).toBe(6);
    expect(end('/a/**', ['/a/*', 5], ['/a/*/**', 7], ['/a/**', 4])).toBe(5);
  });
});
