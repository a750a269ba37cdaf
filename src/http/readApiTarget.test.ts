import { readApiTarget } from './readApiTarget';

it.each([
  ['/api/pub', 'pub', '/'],
  ['/api/pub?x=/../y', 'pub', '/'],
  ['/api/pub/a/b?x', 'pub', '/a/b'],
  ['/api/pub//a/%61/..', 'pub', '//a/%61/..'],
  // Express serves these targets too, and no rule ever names them.
  ['/api/pub/', 'pub', undefined],
  ['/api/PUB/a', 'pub', undefined],
  ['/API/pub/a', 'pub', undefined],
  ['/api/p%75b/a', 'p%75b', undefined],
])('%s is for the plugin %s, with the path %s', (target, plugin, path) => {
  expect(readApiTarget(target)).toEqual({ plugin, path });
});

it.each([
  '/',
  '/x',
  '/api',
  '/api/',
  '/api//x',
  '/api?/x',
  '/apix/a',
  '//api/a',
  '/x/api/a',
])('%s is not below a plugin', target =>
  expect(readApiTarget(target)).toBeUndefined(),
);

it.each([
  '',
  'x',
  'http://any/api/pub/a',
  '/api/pub/a#b',
  '/api\\pub/a',
  '/api/pub/a b',
  '/api/pub/\u00e4',
  '*',
])('%j is not in origin-form', target =>
  expect(readApiTarget(target)).toBe('unreadable'),
);
