import { formatPaths, pathsOfRules } from './declaredOpen';

it.each([
  ['/', '/**'],
  ['*', '/**'],
  ['/a', '/a and /a/**'],
  ['/a/:b/c', '/a/*/c and /a/*/c/**'],
  // Rules have no such paths.
  ['/:a/b', '/*/b and /*/b/** (no rule can be written so)'],
  ['/a/v:b', '/a/v* and /a/v*/** (no rule can be written so)'],
  ['/a{/b}', '/a{/b} and /a{/b}/** (no rule can be written so)'],
  ['/a/*b', '/a/*b and /a/*b/** (no rule can be written so)'],
  ['/a/', '/a/ and /a//** (no rule can be written so)'],
])('formats the policy for %s as rules have it', (path, text) => {
  const paths = pathsOfRules({ path, isWebSocket: false });
  expect(formatPaths({ paths, isWebSocket: false })).toBe(text);
});

it.each([
  ['/', '/'],
  ['/a', '/a'],
  ['/a/', '/a/ (no rule can be written so)'],
  ['/:a', '/:a (no rule can be written so)'],
  ['/a/*', '/a/* (no rule can be written so)'],
])('formats the WebSocket handler at %s as rules have it', (path, text) => {
  const paths = pathsOfRules({ path, isWebSocket: true });
  expect(formatPaths({ paths, isWebSocket: true })).toBe(text);
});
