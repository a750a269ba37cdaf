import type { CookieIssuerContext } from '../..';
import { BrowserCookies } from '../__testUtils__/browserCookies';
import { cookieIssuer } from '../__testUtils__/cookieIssuer';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import {
  bearer,
  cookie,
  now,
  SAME_ORIGIN,
} from '../__testUtils__/requestParts';
import {
  SignedBackendOptions,
  signedBackends,
} from '../__testUtils__/signedBackends';

const backends = signedBackends();
afterEach(backends.stopAll);

const TARGET = '/api/hello/x';

async function signIn(
  features: SignedBackendOptions['features'] = [],
  apiGate = {},
) {
  const plugin = recordingPlugin('hello');
  const backend = await backends.start({
    features: [plugin.feature, ...features],
    apiGate,
  });
  const token = await backend.guest();
  return {
    ...backend,
    token,
    plugin,
    /** Sends the token as a bearer token, and returns the cookies of the answer. */
    async cookiesFor(...headerLines: string[]) {
      const lines = [bearer(token), ...headerLines];
      const { status, headers } = await backend.get(TARGET, ...lines);
      expect(status).toBe(200);
      return headers['set-cookie'];
    },
  };
}

describe('[P15] authCookieIssuanceExtensionPoint', () => {
  it('replaces the issuer, which receives the verified credentials and the token', async () => {
    const contexts: CookieIssuerContext[] = [];
    const { cookiesFor, request, statusOf, token } = await signIn([
      cookieIssuer('mine', {
        issueCookie(context) {
          contexts.push(context);
          context.res.cookie('mine', 'yes');
        },
      }),
    ]);
    expect(await cookiesFor()).toBe('mine=yes; Path=/');
    expect(contexts).toHaveLength(1);
    expect(contexts[0].token).toBe(token);
    expect(contexts[0].credentials.principal).toMatchObject({
      type: 'user',
      userEntityRef: 'user:development/guest',
    });
    expect(contexts[0].req.originalUrl).toBe('/api/hello/x');

    // The gate calls the issuer for bearer tokens alone, and its result decides nothing about access.
    expect(await statusOf(TARGET)).toBe(401);
    expect(await statusOf(TARGET, cookie(token))).toBe(200);
    await request('OPTIONS', TARGET, [bearer(token)]);
    expect(contexts).toHaveLength(1);
  });

  it('turns issuing off', async () => {
    const { cookiesFor, statusOf, token } = await signIn([
      cookieIssuer('mine', 'off'),
    ]);
    expect(await cookiesFor()).toBeUndefined();
    expect(await statusOf(TARGET, cookie(token))).toBe(200);
  });

  it('names both modules when a second one sets an issuer', async () => {
    await expect(
      signIn([cookieIssuer('one', 'off'), cookieIssuer('two', 'off')]),
    ).rejects.toThrow(
      /The modules (one and two|two and one) both set an issuer/,
    );
  });
});

it('clears the cookie of the tutorial, which has a domain, with the second answer', async () => {
  const { get, sign, url } = await backends.start({
    features: [recordingPlugin('hello').feature],
  });
  const older = await sign({ iat: now() - 30 });
  const token = await sign({ iat: now() - 20 });
  const browser = new BrowserCookies();
  browser.store(url, [`token=${older}; Path=/; Domain=localhost`]);
  const counts = [];
  for (let i = 0; i < 2; i += 1) {
    const sent = `Cookie: ${browser.headerFor(url)}`;
    const { headers } = await get(TARGET, bearer(token), SAME_ORIGIN, sent);
    const set = headers['set-cookie']!.split('\n');
    browser.store(url, set);
    counts.push(set.length);
  }
  expect(counts).toEqual([1, 3]);
  expect(browser.headerFor(url)).toBe(`token=${token}`);
});

describe('auth.apiGate.cookie', () => {
  it('enabled: false neither issues nor reads nor clears a cookie', async () => {
    const { cookiesFor, plugin, statusOf, token } = await signIn([], {
      cookie: { enabled: false },
    });
    expect(await cookiesFor(cookie('mine'))).toBeUndefined();
    expect(plugin.handled[0].headers.cookie).toBe('token=mine');
    expect(await statusOf(TARGET, cookie(token))).toBe(401);
  });

  it('has the configured name and SameSite', async () => {
    const { cookiesFor, statusOf, token } = await signIn([], {
      cookie: { name: 'session', sameSite: 'strict' },
    });
    expect(await cookiesFor()).toMatch(/^session=.*HttpOnly; SameSite=Strict$/);
    expect(await statusOf(TARGET, `Cookie: session=${token}`)).toBe(200);
    expect(await statusOf(TARGET, cookie(token))).toBe(401);
  });
});

/** Returns the seconds that a cookie lives, by both of its attributes. */
function lifeOf(setCookie: string | undefined) {
  const [, maxAge, expires] = setCookie!.match(
    /^token=[^;]+; Max-Age=(\d+); Path=\/; Expires=([^;]+); HttpOnly; SameSite=Lax$/,
  )!;
  const until = (Date.parse(expires) - Date.now()) / 1000;
  expect(Math.abs(until - Number(maxAge))).toBeLessThan(2);
  return Number(maxAge);
}

it('[P48] the cookie lives 15 minutes by default where guests can sign in', async () => {
  const { cookiesFor } = await signIn();
  expect(lifeOf(await cookiesFor())).toBe(900);
});
