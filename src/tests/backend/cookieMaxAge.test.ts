import type { JsonObject } from '@backstage/types';
import { decodeJwt } from 'jose';
import type { CookieIssuerContext } from '../..';
import { cookieIssuer } from '../../__testUtils__/cookieIssuer';
import { rawRequest } from '../../__testUtils__/rawRequest';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { RunningBackend, startBackend } from '../../__testUtils__/startBackend';

jest.setTimeout(60_000);

const GUEST = { guest: { dangerouslyAllowOutsideDevelopment: true } };
const MINUTE = 60_000;

let backend: RunningBackend | undefined;
let clock: jest.SpyInstance | undefined;
afterEach(async () => {
  clock?.mockRestore();
  clock = undefined;
  await backend?.stop();
  backend = undefined;
});

/** Starts a backend, and signs a guest in. */
async function signIn(
  cookie: JsonObject = {},
  options: Parameters<typeof startBackend>[0] = {},
) {
  backend = await startBackend({
    features: [recordingPlugin('hello').feature, ...(options.features ?? [])],
    config: { auth: { providers: GUEST, apiGate: { cookie } } },
  });
  const { port } = backend;
  const { body } = await rawRequest(port, '/api/auth/guest/refresh');
  const { token } = JSON.parse(body).backstageIdentity;
  const held = `Cookie: token=${token}`;
  const bearer = `Authorization: Bearer ${token}`;
  const get = async (...headerLines: string[]) =>
    rawRequest(port, '/api/hello/x', { headerLines });
  return { token: token as string, held, bearer, get };
}

/** Moves the clock by which the gate measures intervals. */
function pass(ms: number) {
  const at = performance.now() + ms;
  clock ??= jest.spyOn(performance, 'now');
  clock.mockReturnValue(at);
}

/** Returns the seconds that a cookie lives, by both of its attributes. */
function lifeOf(setCookie: string | undefined) {
  const [, maxAge, expires] = setCookie!.match(
    /^token=[^;]+; Max-Age=(\d+); Path=\/; Expires=([^;]+); HttpOnly; SameSite=Lax$/,
  )!;
  const until = (Date.parse(expires) - Date.now()) / 1000;
  expect(Math.abs(until - Number(maxAge))).toBeLessThan(2);
  return Number(maxAge);
}

describe('[P48] the life of the cookie', () => {
  it('is 15 minutes by default where guests can sign in', async () => {
    const { bearer, get } = await signIn();
    const { headers } = await get(bearer);
    expect(lifeOf(headers['set-cookie'])).toBe(900);
  });

  it('is that of the token where cookie.maxAge is longer', async () => {
    const { bearer, get, token } = await signIn({ maxAge: '24h' });
    const { headers } = await get(bearer);
    const expires = new Date(decodeJwt(token).exp! * 1000).toUTCString();
    expect(headers['set-cookie']).toBe(
      `token=${token}; Path=/; Expires=${expires}; HttpOnly; SameSite=Lax`,
    );
  });

  it('begins anew with a bearer token after half of it, never with the cookie alone', async () => {
    const { bearer, get, held } = await signIn({ maxAge: '20m' });
    await get(bearer);
    const isSet = async (...headerLines: string[]) => {
      const { status, headers } = await get(...headerLines);
      expect(status).toBe(200);
      return headers['set-cookie'] !== undefined;
    };
    expect(await isSet(bearer, held)).toBe(false);
    pass(9 * MINUTE);
    expect(await isSet(bearer, held)).toBe(false);
    pass(2 * MINUTE);
    expect(await isSet(held)).toBe(false);
    const { headers } = await get(bearer, held);
    expect(lifeOf(headers['set-cookie']?.split('\n').at(-1))).toBe(1200);
    expect(headers['cache-control']).toBe('no-store');
    expect(await isSet(bearer, held)).toBe(false);
  });

  it('begins anew where a handler would answer 304, which sets no cookie', async () => {
    const { bearer, get, held } = await signIn({ maxAge: '20m' });
    await get(bearer);
    const { headers } = await get(bearer, held);
    const validator = `If-None-Match: ${headers.etag}`;
    expect((await get(bearer, held, validator)).status).toBe(304);
    pass(11 * MINUTE);
    const renewed = await get(bearer, held, validator);
    expect(renewed.status).toBe(200);
    expect(lifeOf(renewed.headers['set-cookie']?.split('\n').at(-1))).toBe(
      1200,
    );
    expect((await get(bearer, held, validator)).status).toBe(304);
  });

  it('begins anew with the first call after the start of a replica', async () => {
    const { bearer, get, held } = await signIn({ maxAge: '20m' });
    const { headers } = await get(bearer, held);
    expect(lifeOf(headers['set-cookie']?.split('\n').at(-1))).toBe(1200);
    expect((await get(bearer, held)).headers['set-cookie']).toBeUndefined();
  });

  it('is known to an issuer of the adopter', async () => {
    const contexts: CookieIssuerContext[] = [];
    const issuer = cookieIssuer('mine', {
      issueCookie: context => void contexts.push(context),
    });
    const { bearer, get } = await signIn(
      { maxAge: '20m' },
      { features: [issuer] },
    );
    await get(bearer);
    const ms = contexts[0].expires.getTime() - Date.now();
    expect(Math.abs(ms - 20 * MINUTE)).toBeLessThan(2_000);
  });

  it.each(['59s', '25h', 'a while'])(
    'stops the start if it is %s',
    async maxAge => {
      await expect(signIn({ maxAge })).rejects.toThrow(
        'auth.apiGate.cookie.maxAge must be a duration from 1m to 24h, such as',
      );
    },
  );
});
