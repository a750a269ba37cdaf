import {
  endOf,
  formatRule,
  isSubtree,
  openedMethods,
  prefixOf,
  segmentsOf,
  yamlOf,
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
  [['GET'], ['GET', 'HEAD'], 'GET'],
  [['POST', 'GET'], ['POST', 'GET', 'HEAD'], 'POST,GET'],
  [['WEBSOCKET'], ['WEBSOCKET'], 'WEBSOCKET'],
])('a rule for %j opens %j', (methods, opened, text) => {
  const rule = { plugin: 'catalog', path: '/a/**', methods };
  expect(openedMethods(rule)).toEqual(opened);
  expect(formatRule(rule)).toBe(`${text} /api/catalog/a/**`);
  expect(yamlOf(rule)).toBe(
    `- { plugin: catalog, path: '/a/**', methods: [${methods.join(', ')}] }`,
  );
});
