import { Refusal } from '../../gate/Refusal';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { BrowserCookies } from '../__testUtils__/browserCookies';
import { checkProperty } from '../__testUtils__/checkProperty';
import type { CookieSettings } from '../../gate/rules/GateSettings';
import { GateCookie, MAX_TOKEN_BYTES } from '../../gate/cookie/GateCookie';
import { withoutCookies } from '../../gate/read/cookieHeader';

jest.setTimeout(60_000);

const HOST = 'backstage.example.com';
const URL = `https://${HOST}/api/catalog/entities`;
const EXPIRES = new Date('2099-01-01T00:00:00Z');
/** Returns a text in the characters of a JWT in which no two stretches are alike, so that exchanged parts change the text. */
function tokenOf(size: number, salt: number): string {
  return createHash('shake256', { outputLength: size })
    .update(String(salt))
    .digest('base64url')
    .slice(0, size);
}

const anyToken = fc
  .tuple(
    fc.oneof(
      fc.integer({ min: 1, max: MAX_TOKEN_BYTES }),
      // A cookie is split in two at about these lengths.
      fc.integer({ min: 3800, max: 4100 }),
      fc.integer({ min: MAX_TOKEN_BYTES - 5, max: MAX_TOKEN_BYTES }),
      fc.integer({ min: 1, max: 4 }),
    ),
    fc.nat(),
  )
  .map(([size, salt]) => tokenOf(size, salt));

const anySettings: fc.Arbitrary<CookieSettings> = fc
  .record({
    name: fc.constantFrom('token', '__Host-token', '__Secure-t', 'a.0', 'x!'),
    domain: fc.constantFrom(undefined, HOST, 'example.com'),
    sameSite: fc.constantFrom('lax' as const, 'strict' as const),
  })
  .map(({ name, domain, sameSite }) => ({
    enabled: true,
    name,
    maxAgeMs: undefined,
    attributes: {
      ...(domain && !name.startsWith('__Host-') && { domain }),
      httpOnly: true,
      path: '/',
      sameSite,
      secure: true,
    },
  }));

/** Generates the other cookies of a browser: those of other servers, and some whose names look like the gate's. */
const anyOthers = (name: string) =>
  fc
    .uniqueArray(
      fc.tuple(
        fc.oneof(
          fc.constantFrom('a', `${name}s`, `${name}.`, `${name}.x`, `x${name}`),
          fc.string({ unit: fc.constantFrom('b', 'c', '_'), minLength: 1 }),
        ),
        fc.constantFrom('1', '', '"1 2"', '%20', `${name}=1`),
      ),
      { selector: ([other]) => other, maxLength: 4 },
    )
    .map(pairs => pairs.map(([other, value]) => `${other}=${value}`));

/** Generates cookies that an older release, the tutorial, or another token has left behind. */
const anyLeftovers = ({ name }: CookieSettings) =>
  fc.array(
    fc.record({
      name: fc.constantFrom(name, `${name}.0`, `${name}.1`, `${name}.2`),
      value: fc.constantFrom('', 'stale', '"stale"', '%'),
      domain: fc.constantFrom('', `; Domain=${HOST}`),
    }),
    { maxLength: 4 },
  );

/** Returns the `Set-Cookie` lines of an answer that sets the cookie, in the issuer's order: for a user whose cookie the browser has or not. */
function issue(
  cookie: GateCookie,
  header: string | undefined,
  token: string,
  isRenewal = false,
) {
  const set = cookie.set(token, EXPIRES);
  return [...cookie.clear(header, isRenewal ? set : []), ...set];
}

function shuffled(header: string, order: number[]): string {
  return header
    .split('; ')
    .map((pair, i) => ({ pair, rank: order[i % order.length] }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ pair }) => pair)
    .join('; ');
}

const anyBrowser = anySettings.chain(settings =>
  fc.record({
    settings: fc.constant(settings),
    others: anyOthers(settings.name),
    leftovers: anyLeftovers(settings),
    tokens: fc.array(anyToken, { minLength: 1, maxLength: 4 }),
    order: fc.array(fc.nat({ max: 100 }), { minLength: 1, maxLength: 8 }),
  }),
);

type AnyBrowser = typeof anyBrowser extends fc.Arbitrary<infer T> ? T : never;

function start({ settings, others, leftovers }: AnyBrowser) {
  const cookie = new GateCookie(settings, HOST);
  const browser = new BrowserCookies();
  browser.store(
    URL,
    others.map(pair => `${pair}; Path=/; Secure`),
  );
  const header = browser.headerFor(URL);
  browser.store(
    URL,
    leftovers.map(
      ({ name, value, domain }) => `${name}=${value}; Path=/; Secure${domain}`,
    ),
  );
  return { cookie, browser, othersHeader: header };
}

describe('GateCookie in a browser', () => {
  it('is read as it was set, whatever cookies the browser had before', () =>
    checkProperty(
      fc.property(anyBrowser, scene => {
        const { cookie, browser, othersHeader } = start(scene);
        for (const [i, token] of scene.tokens.entries()) {
          const before = browser.headerFor(URL);
          browser.store(URL, issue(cookie, before, token, i > 0));
          const header = browser.headerFor(URL)!;
          expect(cookie.read(header)).toBe(token);
          const other = shuffled(header, scene.order);
          expect(cookie.read(other)).toBe(token);
          expect(withoutCookies(header, cookie.names)).toBe(othersHeader);
        }
        browser.store(URL, cookie.clear(browser.headerFor(URL)));
        expect(browser.headerFor(URL)).toBe(othersHeader);
      }),
      { runs: 60, seconds: 3 },
    ));

  // The answer to one tab may not include the cookies that the answer to another tab sets.
  it('never becomes a mix, and is gone once it is cleared, when answers cross', () =>
    checkProperty(
      fc.property(anyBrowser, scene => {
        const { cookie, browser, othersHeader } = start(scene);
        const answers = scene.tokens.map(token =>
          issue(cookie, browser.headerFor(URL), token),
        );
        for (const answer of answers) {
          browser.store(URL, answer);
          const read = cookie.read(browser.headerFor(URL));
          expect(
            read instanceof Refusal ||
              (read !== undefined && scene.tokens.includes(read)),
          ).toBe(true);
        }
        browser.store(URL, cookie.clear(browser.headerFor(URL)));
        expect(browser.headerFor(URL)).toBe(othersHeader);
      }),
      { runs: 60, seconds: 3 },
    ));
});
