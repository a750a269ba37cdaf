import supertest from 'supertest';
import type { CookieIssuerContext } from '../..';
import { cookieIssuer } from '../../__testUtils__/cookieIssuer';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { RunningBackend, startBackend } from '../../__testUtils__/startBackend';

jest.setTimeout(60_000);

let backend: RunningBackend | undefined;
afterEach(async () => {
  await backend?.stop();
  backend = undefined;
});

async function signIn(
  features: Parameters<typeof startBackend>[0]['features'],
  apiGate = {},
) {
  const plugin = recordingPlugin('hello');
  backend = await startBackend({
    features: [plugin.feature, ...features!],
    config: { auth: { apiGate } },
  });
  const request = supertest(backend.url);
  const { body } = await request.get('/api/auth/guest/refresh').expect(200);
  const token: string = body.backstageIdentity.token;
  const get = () =>
    request.get('/api/hello/x').set('Authorization', `Bearer ${token}`);
  return { token, get, request, plugin };
}

describe('[P15] authCookieIssuanceExtensionPoint', () => {
  it('replaces the issuer, which receives the verified credentials and the token', async () => {
    const contexts: CookieIssuerContext[] = [];
    const { token, get, request } = await signIn([
      cookieIssuer('mine', {
        issueCookie(context) {
          contexts.push(context);
          context.res.cookie('mine', 'yes');
        },
      }),
    ]);
    const response = await get().expect(200);
    expect(response.get('Set-Cookie')).toEqual(['mine=yes; Path=/']);
    expect(contexts).toHaveLength(1);
    expect(contexts[0].token).toBe(token);
    expect(contexts[0].credentials.principal).toMatchObject({
      type: 'user',
      userEntityRef: 'user:development/guest',
    });
    expect(contexts[0].req.originalUrl).toBe('/api/hello/x');

    // The gate calls the issuer for bearer tokens alone, and its result decides nothing about access.
    await request.get('/api/hello/x').expect(401);
    await request
      .get('/api/hello/x')
      .set('Cookie', `token=${token}`)
      .expect(200);
    await request
      .options('/api/hello/x')
      .set('Authorization', `Bearer ${token}`);
    expect(contexts).toHaveLength(1);
  });

  it('turns issuing off', async () => {
    const { get, request, token } = await signIn([cookieIssuer('mine', 'off')]);
    const response = await get().expect(200);
    expect(response.get('Set-Cookie')).toBeUndefined();
    await request
      .get('/api/hello/x')
      .set('Cookie', `token=${token}`)
      .expect(200);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('issuer');
      },
    ],
    [
      'throws after it has set one',
      ({ res }: CookieIssuerContext) => {
        res.cookie('mine', 'yes');
        throw new Error('issuer');
      },
    ],
    ['rejects', () => Promise.reject(new Error('issuer'))],
    ['rejects without an error', () => Promise.reject()],
  ])('sets no cookie when the issuer %s', async (_, issueCookie) => {
    const { get } = await signIn([cookieIssuer('mine', { issueCookie })]);
    const response = await get().expect(200);
    expect(response.get('Set-Cookie')).toBeUndefined();
    expect(
      backend!.log.some(
        ({ level, message }) =>
          level === 'warn' && message.includes('issued no cookie'),
      ),
    ).toBe(true);
  });

  it('names both modules when a second one sets an issuer', async () => {
    await expect(
      signIn([cookieIssuer('one', 'off'), cookieIssuer('two', 'off')]),
    ).rejects.toThrow(
      /The modules (one and two|two and one) both set an issuer/,
    );
  });
});

describe('auth.apiGate.cookie', () => {
  it('enabled: false neither issues nor reads nor clears a cookie', async () => {
    const { get, request, token, plugin } = await signIn([], {
      cookie: { enabled: false },
    });
    const response = await get().set('Cookie', 'token=mine').expect(200);
    expect(response.get('Set-Cookie')).toBeUndefined();
    expect(plugin.handled[0].headers.cookie).toBe('token=mine');
    await request
      .get('/api/hello/x')
      .set('Cookie', `token=${token}`)
      .expect(401);
  });

  it('has the configured name and SameSite', async () => {
    const { get, request, token } = await signIn([], {
      cookie: { name: 'session', sameSite: 'strict' },
    });
    const response = await get().expect(200);
    expect(response.get('Set-Cookie')![0]).toMatch(
      /^session=.*HttpOnly; SameSite=Strict$/,
    );
    await request
      .get('/api/hello/x')
      .set('Cookie', `session=${token}`)
      .expect(200);
    await request
      .get('/api/hello/x')
      .set('Cookie', `token=${token}`)
      .expect(401);
  });
});
