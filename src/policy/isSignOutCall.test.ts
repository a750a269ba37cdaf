import { isSignOutCall } from './isSignOutCall';

const providers = new Set(['github']);

describe('isSignOutCall', () => {
  it.each([
    ['auth', 'POST', '/github/logout'],
    ['auth', 'POST', '/GitHub/Logout'],
    ['catalog', 'DELETE', '/.backstage/auth/v1/cookie'],
    ['auth', 'DELETE', '/.backstage/auth/v1/cookie'],
    ['auth', 'DELETE', '/.Backstage/auth/v1/Cookie'],
  ])('is %s %s %s', (plugin, method, path) => {
    expect(isSignOutCall(plugin, method, path, providers)).toBe(true);
  });

  it.each([
    ['auth', 'GET', '/github/logout'],
    ['auth', 'DELETE', '/github/logout'],
    ['auth', 'POST', '/gitlab/logout'],
    ['auth', 'POST', '/github/refresh'],
    ['auth', 'POST', '/github/logout/x'],
    ['auth', 'POST', '/x/github/logout'],
    ['auth', 'POST', '/logout'],
    ['auth', 'POST', '/'],
    ['catalog', 'POST', '/github/logout'],
    ['catalog', 'GET', '/.backstage/auth/v1/cookie'],
    ['catalog', 'POST', '/.backstage/auth/v1/cookie'],
    ['catalog', 'DELETE', '/.backstage/auth/v1/cookies'],
  ])('is not %s %s %s', (plugin, method, path) => {
    expect(isSignOutCall(plugin, method, path, providers)).toBe(false);
  });
});
