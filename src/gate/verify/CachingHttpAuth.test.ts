import type { Request } from 'express';
import { CachingHttpAuth } from './CachingHttpAuth';
import { TokenCache } from './TokenCache';

const user = { type: 'user', userEntityRef: 'user:default/a' };

const requestWith = (token: string | undefined) =>
  ({ headers: { authorization: token && `Bearer ${token}` } }) as Request;

/** Makes an `httpAuth` whose cache has the token `known` for its plugin. */
async function create(principal: object = user) {
  const tokens = new TokenCache({ ttlMs: 30_000 });
  const auth = {
    authenticate: async () => ({ principal: { ...principal } }),
    isPrincipal: () => true,
  };
  await tokens.wrap(auth as never, 'hello').authenticate('known');
  const fallback = {
    credentials: jest.fn(async () => 'by Backstage'),
    issueUserCookie: jest.fn(async () => 'issued'),
  };
  const httpAuth = new CachingHttpAuth(fallback as never, tokens, 'hello');
  const recall = (req: Request, token = 'known') =>
    httpAuth.recall(req, tokens.read(token));
  return { fallback, httpAuth, recall, tokens };
}

describe('[P12] CachingHttpAuth', () => {
  it('gives the recalled credentials to all who ask for those of the request', async () => {
    const { fallback, httpAuth, recall } = await create();
    const req = requestWith('known');
    const recalled = recall(req);
    expect(recalled).toEqual({ principal: user });
    for (const options of [
      undefined,
      {},
      { allow: ['user' as const] },
      { allow: ['service' as const, 'user' as const] },
    ]) {
      expect(await httpAuth.credentials(req, options)).toBe(recalled);
    }
    expect(fallback.credentials).not.toHaveBeenCalled();
  });

  it('makes credentials for each request', async () => {
    const { recall } = await create();
    const first = recall(requestWith('known'))!;
    Object.assign(first.principal, { userEntityRef: 'user:default/evil' });
    expect(recall(requestWith('known'))).toEqual({ principal: user });
  });

  it('recalls no token that is not in the cache for this plugin', async () => {
    const { fallback, recall, tokens } = await create();
    expect(recall(requestWith('other'), 'other')).toBeUndefined();
    const ofOther = new CachingHttpAuth(fallback as never, tokens, 'other');
    const req = requestWith('known');
    expect(ofOther.recall(req, tokens.read('known'))).toBeUndefined();
    expect(await ofOther.credentials(req)).toBe('by Backstage');
  });

  it.each([
    [
      'another token',
      (req: Request) => (req.headers.authorization = 'Bearer x'),
    ],
    ['no token', (req: Request) => delete req.headers.authorization],
    ['another scheme', (req: Request) => (req.headers.authorization = 'known')],
  ])(
    'leaves it to Backstage where a handler has put %s into the request',
    async (_, change) => {
      const { httpAuth, recall } = await create();
      const req = requestWith('known');
      recall(req);
      change(req);
      expect(await httpAuth.credentials(req)).toBe('by Backstage');
    },
  );

  it.each([
    ['of another request with the same token', undefined, 'new'],
    ['with limited access', { allowLimitedAccess: true }, 'same'],
    ['of a service', { allow: ['service' as const] }, 'same'],
    ['of nobody', { allow: [] }, 'same'],
  ])('leaves credentials %s to Backstage', async (_, options, request) => {
    const { fallback, httpAuth, recall } = await create();
    const req = requestWith('known');
    recall(req);
    const asked = request === 'new' ? requestWith('known') : req;
    expect(await httpAuth.credentials(asked, options)).toBe('by Backstage');
    expect(fallback.credentials).toHaveBeenCalledWith(asked, options);
  });

  it('leaves the cookie to Backstage', async () => {
    const { fallback, httpAuth } = await create();
    const args = [{}, { credentials: {} }] as never[];
    expect(await (httpAuth.issueUserCookie as any)(...args)).toBe('issued');
    expect(fallback.issueUserCookie).toHaveBeenCalledWith(...args);
  });
});
