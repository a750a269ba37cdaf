import { findNearestRule } from './findNearestRule';

const rule = (plugin: string, path: string) => ({
  plugin,
  path,
  methods: ['GET'],
});

it.each([
  ['/a/b/c', '/a/b/**'],
  ['/a/b', '/a/b/**'],
  ['/a/bb', '/a'],
  ['/x', '/a'],
  ['/', '/a'],
])('finds for %s the rule for %s', (path, nearest) => {
  const rules = [rule('two', path), rule('one', '/a'), rule('one', '/a/b/**')];
  expect(findNearestRule(rules, 'one', path)?.path).toBe(nearest);
});

it.each([
  ['/a/b', ['/a/*', '/a/b/c'], '/a/b/c'],
  ['/a/b', ['/a/b', '/a/b/c'], '/a/b'],
  ['/a', ['/a/b', '/a/*'], '/a/b'],
  ['/a/b/c', ['/a/b', '/a/*'], '/a/b'],
  ['/a/b/c', ['/*/*', '/a'], '/*/*'],
])('prefers for %s, of %j, the rule for %s', (path, paths, nearest) => {
  const rules = paths.map(each => rule('one', each));
  expect(findNearestRule(rules, 'one', path)?.path).toBe(nearest);
});

it('finds none among the rules of other plugins', () => {
  expect(findNearestRule([rule('two', '/a')], 'one', '/a')).toBeUndefined();
});

it.each([
  ['/entity/a/b/c/badge-specs', '/entity/*/*/*/badge/*'],
  ['/entity/a', '/entity/*/*/*/badge/*'],
  ['/entity/a/logo', '/entity/*/logo'],
  ['/entity', '/entity/x'],
  ['/x', '/entity/x'],
])('finds for %s the rule for %s, with * for any segment', (path, nearest) => {
  const rules = ['/entity/x', '/entity/*/*/*/badge/*', '/entity/*/logo'].map(
    each => rule('one', each),
  );
  expect(findNearestRule(rules, 'one', path)?.path).toBe(nearest);
});
