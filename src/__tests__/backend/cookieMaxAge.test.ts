import type { CookieIssuerContext } from '../..';
import { cookieIssuer } from '../__testUtils__/cookieIssuer';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { bearer as bearerOf, cookie } from '../__testUtils__/requestParts';
import {
  SignedBackendOptions,
  signedBackends,
} from '../__testUtils__/signedBackends';

const MINUTE = 60_000;

const backends = signedBackends();
let clock: jest.SpyInstance | undefined;
afterEach(async () => {
  clock?.mockRestore();
  clock = undefined;
  await backends.stopAll();
});

/** Starts a backend, and signs a guest in. */
async function signIn(
  maxAge?: string,
  features: SignedBackendOptions['features'] = [],
) {
  const backend = await backends.start({
    features: [recordingPlugin('hello').feature, ...features],
    apiGate: { cookie: { ...(maxAge && { maxAge }) } },
  });
  const token = await backend.guest();
  const get = (...headerLines: string[]) =>
    backend.get('/api/hello/x', ...headerLines);
  return { held: cookie(token), bearer: bearerOf(token), get };
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

  it('begins anew with a bearer token after half of it, never with the cookie alone', async () => {
    const { bearer, get, held } = await signIn('20m');
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
    const { bearer, get, held } = await signIn('20m');
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

  it('is known to an issuer of the adopter', async () => {
    const contexts: CookieIssuerContext[] = [];
    const issuer = cookieIssuer('mine', {
      issueCookie: context => void contexts.push(context),
    });
    const { bearer, get } = await signIn('20m', [issuer]);
    await get(bearer);
    const ms = contexts[0].expires.getTime() - Date.now();
    expect(Math.abs(ms - 20 * MINUTE)).toBeLessThan(2_000);
  });
});
