import { GateCookie } from '../cookie/GateCookie';
import { Refusal } from '../decision/Refusal';
import type { ExpressRequest } from './GateRequest';
import { presentedToken } from './presentedToken';

const gateCookie = new GateCookie(
  { enabled: true, name: 'token', attributes: {} } as never,
  '[::1]',
);
const bearer = { authorization: 'Bearer b' };
const cookie = { cookie: 'token=c' };
const userCookie = { cookie: 'backstage-auth=u' };
const script = { 'sec-fetch-dest': 'script' };

/**
 * Returns the token of a request, or the reason of its refusal, and the kind of credential that the log has. The plugin has
 * declared `/static` for cookies, and the operator trusts `/trusted`.
 */
function present(headers: object, path: string, isCrossSite = false) {
  const request = {
    req: { headers, rawHeaders: Object.entries(headers).flat() },
    method: 'GET',
    path,
    credential: 'none',
    plugin: {
      id: 'hello',
      acceptsUserCookie: (below: string) => below === '/static',
      isForCookies: (below: string) => below === '/static',
    },
    policy: {
      isCrossSite: () => isCrossSite,
      isTrustedPath: (_: string, below: string) => below === '/trusted',
    },
  } as unknown as ExpressRequest;
  let result;
  try {
    const presented = presentedToken(request, gateCookie);
    result =
      presented instanceof Refusal
        ? presented.reason
        : `${presented.kind} ${presented.token}`;
  } catch (error) {
    result = `throws ${(error as Refusal).reason}`;
  }
  return [result, request.credential];
}

describe('presentedToken', () => {
  it.each([
    ['nothing', {}, '/x', 'missing-credentials', 'none'],
    ['a bearer', bearer, '/x', 'bearer b', 'bearer'],
    [
      'a bearer for a script',
      { ...bearer, ...script },
      '/x',
      'bearer b',
      'bearer',
    ],
    ['the cookie', cookie, '/x', 'cookie c', 'cookie'],
    [
      'cookies that conflict',
      { cookie: 'token=x; token=y' },
      '/x',
      'conflicting-cookies',
      'none',
    ],
    [
      'the cookie for a script',
      { ...cookie, ...script },
      '/x',
      'throws unsafe-destination',
      'cookie',
    ],
    [
      'the cookie for an image',
      { ...cookie, 'sec-fetch-dest': 'image' },
      '/x',
      'cookie c',
      'cookie',
    ],
    [
      'the cookie for a script at a trusted path',
      { ...cookie, ...script },
      '/trusted',
      'cookie c',
      'cookie',
    ],
    [
      'the cookie for a script at a path for cookies',
      { ...cookie, ...script },
      '/static',
      'cookie c',
      'cookie',
    ],
    [
      'Backstage’s own cookie at a path for cookies',
      userCookie,
      '/static',
      'user-cookie u',
      'user-cookie',
    ],
    [
      'Backstage’s own cookie elsewhere',
      userCookie,
      '/trusted',
      'missing-credentials',
      'none',
    ],
  ])('of %s', (_, headers, path, result, credential) => {
    expect(present(headers, path)).toEqual([result, credential]);
  });

  it.each([
    [bearer, '/x', 'bearer b', 'bearer'],
    [cookie, '/x', 'throws cross-site', 'cookie'],
    [cookie, '/trusted', 'throws cross-site', 'cookie'],
    [userCookie, '/static', 'throws cross-site', 'user-cookie'],
  ])(
    'of another site’s page with %j at %s',
    (headers, path, result, credential) => {
      expect(present(headers, path, true)).toEqual([result, credential]);
    },
  );
});
