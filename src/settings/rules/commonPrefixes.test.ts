import { barrierPathsFor } from './commonPrefixes';

const barrierPaths = (...paths: string[]) =>
  barrierPathsFor(
    'a',
    paths.map(path => ({ plugin: 'a', path, methods: ['GET'] })),
  );
const numbered = (count: number, path: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => path(i));

it.each([
  ['none', [], []],
  ['a few as they are', ['/a/b/c', '/a', '/'], ['/a/b/c', '/a', '/']],
  ['the same once', ['/a/b', '/a/b'], ['/a/b']],
  [
    'eight as they are',
    numbered(8, i => `/a/${i}`),
    numbered(8, i => `/a/${i}`),
  ],
  [
    'nine by what they share',
    [...numbered(9, i => `/a/b/${i}`), '/c/d/e'],
    ['/a/b', '/c/d'],
  ],
  ['many that share nothing by all', numbered(9, i => `/${i}`), ['/']],
  [
    'many of which one is all',
    [...numbered(20, i => `/a/${i}`), '/'],
    ['/a', '/'],
  ],
])('covers %s', (_, paths, expected) => {
  expect(barrierPaths(...paths)).toEqual(expected);
});

it.each([
  ['/', '/'],
  ['/**', '/'],
  ['/a/b', '/a/b'],
  ['/a/b/**', '/a/b'],
  ['/entity/*/*/*/badge/*', '/entity/:p1/:p2/:p3/badge/:p5'],
  ['/entity/*/**', '/entity/:p1'],
])('opens the barrier for %s by %s', (path, expected) => {
  expect(barrierPaths(path)).toEqual([expected]);
});

it('covers many paths with * by what they share', () => {
  const paths = numbered(9, i => `/entity/*/${i}`);
  expect(barrierPaths(...paths)).toEqual(['/entity/:p1']);
});

it.each([
  ['hello', ['/a', '/b']],
  ['Hello', ['/a', '/b']],
  ['other', []],
  ['app', []],
  ['App', []],
])('opens the barrier of %s for its own rules: %j', (pluginId, expected) => {
  const rules = ['hello', 'app'].flatMap(plugin =>
    ['/a', '/b/**'].map(path => ({ plugin, path, methods: ['GET'] })),
  );
  expect(barrierPathsFor(pluginId, rules)).toEqual(expected);
});
