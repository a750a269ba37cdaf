import { isCookieEndpoint } from './backstagePaths';

const COOKIE = '/.backstage/auth/v1/cookie';

describe('isCookieEndpoint', () => {
  it.each([
    [COOKIE, true],
    [`${COOKIE}/`, true],
    [COOKIE.toUpperCase(), true],
    [`${COOKIE}//`, false],
    [`${COOKIE}s`, false],
    [`${COOKIE}/x`, false],
    [`/x${COOKIE}`, false],
    ['/', false],
    [undefined, false],
  ])('holds for %s: %s', (path, expected) => {
    expect(isCookieEndpoint(path)).toBe(expected);
  });
});
