import { commonPrefixes } from './commonPrefixes';

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
  expect(commonPrefixes(paths)).toEqual(expected);
});
