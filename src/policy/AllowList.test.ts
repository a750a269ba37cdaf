import { AllowList } from './AllowList';
import { AllowRule } from '../config/AllowRule';

const rule = (path: string, methods = ['GET']): AllowRule => ({
  plugin: 'pub',
  path,
  methods,
});

describe('AllowList', () => {
  const list = new AllowList([
    rule('/health'),
    rule('/hook', ['POST']),
    rule('/static/**'),
    rule('/a/b/**', ['GET', 'PUT']),
    rule('/head', ['HEAD']),
    { ...rule('/**'), plugin: 'open' },
    { ...rule('/'), plugin: 'root' },
  ]);

  it.each([
    ['pub', 'GET', '/health', '/health'],
    ['pub', 'HEAD', '/health', '/health'],
    ['pub', 'POST', '/hook', '/hook'],
    ['pub', 'GET', '/static/a', '/static/**'],
    ['pub', 'GET', '/static/a/b/c', '/static/**'],
    ['pub', 'PUT', '/a/b/c', '/a/b/**'],
    ['pub', 'HEAD', '/head', '/head'],
    ['open', 'GET', '/', '/**'],
    ['open', 'GET', '/a/b', '/**'],
    ['root', 'GET', '/', '/'],
  ])('opens %s %s %s by %s', (plugin, method, path, expected) => {
    expect(list.match(plugin, method, path)?.path).toBe(expected);
  });

  it.each([
    ['pub', 'POST', '/health'],
    ['pub', 'OPTIONS', '/health'],
    ['pub', 'get', '/health'],
    ['pub', 'GET', '/Health'],
    ['pub', 'GET', '/healthx'],
    ['pub', 'GET', '/health/x'],
    ['pub', 'GET', '/health/'],
    ['pub', 'GET', '/hook'],
    ['pub', 'HEAD', '/hook'],
    ['pub', 'GET', '/head'],
    ['pub', 'GET', '/static'],
    ['pub', 'GET', '/staticx/a'],
    ['pub', 'POST', '/static/a'],
    ['pub', 'GET', '/a/bc/d'],
    ['pub', 'GET', '/a'],
    ['pub', 'GET', '/'],
    ['root', 'GET', '/a'],
    ['other', 'GET', '/health'],
    ['open', 'GET', '/.backstage/auth/v1/cookie'],
    ['open', 'HEAD', '/.Backstage/auth/v1/Cookie'],
  ])('does not open %s %s %s', (plugin, method, path) => {
    expect(list.match(plugin, method, path)).toBeUndefined();
  });
});
