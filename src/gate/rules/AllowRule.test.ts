import {
  endOf,
  isSubtree,
  openedMethods,
  prefixOf,
  segmentsOf,
} from './AllowRule';

it.each([
  ['/', '/', [], false],
  ['/**', '', [], true],
  ['/a', '/a', ['a'], false],
  ['/a/b/**', '/a/b', ['a', 'b'], true],
  ['/a/*/c', '/a/*/c', ['a', '*', 'c'], false],
])('a rule for %s has the prefix %j', (path, prefix, segments, subtree) => {
  expect(prefixOf({ path })).toBe(prefix);
  expect(segmentsOf({ path })).toEqual(segments);
  expect(isSubtree({ path })).toBe(subtree);
});

it.each([
  [{ until: 5 }, 5],
  [{}, Infinity],
])('a rule with %j ends at %d', (rule, end) => {
  expect(endOf(rule)).toBe(end);
});

it.each([
  [['GET'], ['GET', 'HEAD']],
  [
    ['POST', 'GET'],
    ['POST', 'GET', 'HEAD'],
  ],
  [['WEBSOCKET'], ['WEBSOCKET']],
])('a rule for %j opens %j', (methods, opened) => {
  expect(openedMethods({ methods })).toEqual(opened);
});
