import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { unsignedToken } from '../../__tests__/__testUtils__/unsignedToken';
import { Token } from '../read/token';
import { DefaultCookieIssuer } from './DefaultCookieIssuer';
import { GateCookie, MAX_TOKEN_BYTES } from './GateCookie';

const NOW = Date.parse('2026-06-01T00:00:00Z') / 1000;

const userToken = (claims: object = {}) =>
  unsignedToken('vnd.backstage.user', {
    sub: 'user:default/a',
    iat: NOW,
    exp: NOW + 3600,
    ...claims,
  });

function create(
  options: {
    verifies?: (token: string) => boolean;
    isRevoked?: boolean;
    maxAgeMs?: number;
  } = {},
) {
  const { verifies = () => false, isRevoked = false, maxAgeMs } = options;
  const told: unknown[] = [];
  const warnings: string[] = [];
  const cookie = new GateCookie(
    { name: 'token', attributes: { path: '/' }, maxAgeMs } as never,
    'localhost',
  );
  const issuer = new DefaultCookieIssuer({
    cookie,
    verifies: async token => verifies(token),
    isRevoked: () => isRevoked,
    logger: { warn: (message: string) => warnings.push(message) } as never,
    observer: { cookieIssued: (...args) => told.push(['issued', ...args]) },
  });
  return {
    set: jest.spyOn(cookie, 'set'),
    told,
    warnings,
    /** Returns the `Set-Cookie` headers of the answer to a request with a bearer token. The answer of a failure has none. */
    async answer(
      token: Token,
      cookies?: string,
      { isFailure = false, headers = {} } = {},
    ): Promise<string[]> {
      const req = Object.assign(new IncomingMessage(new Socket()), {
        baseUrl: '/api/hello',
        params: { gatedPluginId: 'hello' },
      });
      Object.assign(req.headers, headers, { cookie: cookies });
      if (issuer.isSettled(req, token)) {
        return [];
      }
      const issued = await issuer.issueCookie(
        {
          credentials: {
            principal: { type: 'user', userEntityRef: 'user:default/a' },
          },
          expires: cookie.expiryFor(token.claims!.exp!),
          req,
        } as never,
        token,
      );
      const hasValue = issued?.setCookies.some(each => !/^[^=]*=;/.test(each));
      expect(issued?.isIssued).toBe(hasValue);
      if (!issued || issued.isRevoked() || isFailure) {
        return [];
      }
      issued.onSent();
      return issued.setCookies;
    },
  };
}

const cleared = (name: string) => [
  `${name}=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT`,
  `${name}=; Domain=localhost; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT`,
];
const issued = (token: string) =>
  `token=${token}; Path=/; Expires=Mon, 01 Jun 2026 01:00:00 GMT`;

describe('DefaultCookieIssuer', () => {
  const mine = userToken();
  const newer = userToken({ iat: NOW + 1 });

  it('sets the cookie, until the token expires', async () => {
    const { answer, told } = create();
    expect(await answer(new Token(mine))).toEqual([issued(mine)]);
    expect(told).toEqual([['issued', 'hello', 'user:default/a']]);
  });

  const older = userToken({ iat: NOW - 1 });

  it.each([
    ['that is older', older],
    [
      'of the same second that expires at another time',
      userToken({ exp: NOW }),
    ],
    ['that claims to be newer, and does not verify', newer],
    ['that is as old and verifies', userToken({ exp: NOW }), true],
  ])(
    'replaces the same user’s cookie %s, and clears nothing',
    async (...row) => {
      const [, value, verifies = false] = row;
      const { answer } = create({ verifies: () => verifies });
      expect(await answer(new Token(mine), `token=${value}`)).toEqual([
        issued(mine),
      ]);
    },
  );

  it('clears parts that the same user’s new cookie does not replace, and all if a name stands twice', async () => {
    const { answer } = create();
    const [first, second] = [older.slice(0, 40), older.slice(40)];
    expect(
      await answer(new Token(mine), `token.0=${first}; token.1=${second}`),
    ).toEqual([...cleared('token.0'), ...cleared('token.1'), issued(mine)]);
    expect(
      await answer(new Token(mine), `token=${older}; token=${older}`),
    ).toEqual([...cleared('token'), issued(mine)]);
  });

  it.each([
    ['that is another user’s', userToken({ sub: 'user:default/b' })],
    [
      'of another user that claims to be newer',
      userToken({ sub: 'user:default/b', iat: NOW + 1 }),
      true,
    ],
    ['that can not be decoded', 'x'],
    ['that can not be', `${older}; token=x`],
  ])(
    'clears a cookie %s, and sets its own',
    async (_, value, verifies = false) => {
      const { answer } = create({ verifies: () => verifies });
      expect(await answer(new Token(mine), `token=${value}`)).toEqual([
        ...cleared('token'),
        issued(mine),
      ]);
    },
  );

  it.each([
    ['that is the same', mine],
    ['of the same session', `${mine}x`],
    ['that is newer, and verifies', newer],
  ])('keeps a cookie %s', async (_, value) => {
    const { answer, told } = create({ verifies: token => token === newer });
    expect(await answer(new Token(mine), `token=${value}`)).toEqual([]);
    expect(told).toEqual([]);
  });

  it('sets no cookie in the answer to the request that has ended the session', async () => {
    const { answer, told } = create({ isRevoked: true });
    expect(await answer(new Token(mine), `token=${newer}`)).toEqual([]);
    expect(told).toEqual([]);
  });

  describe('with a cookie that ends before its token', () => {
    const MINUTE = 60_000;
    // Whole milliseconds, so that sums of them are exact.
    const start = Math.round(performance.now());
    let now: jest.SpyInstance<number>[] = [];
    afterEach(() => now.forEach(clock => clock.mockRestore()));

    /** Sets both clocks to a time after the token was issued. */
    const at = (minutes: number) => {
      now.forEach(clock => clock.mockRestore());
      now = [
        jest.spyOn(Date, 'now').mockReturnValue(NOW * 1000 + minutes * MINUTE),
        jest
          .spyOn(performance, 'now')
          .mockReturnValue(start + minutes * MINUTE),
      ];
    };
    const createShort = (maxAgeMs = 15 * MINUTE) => {
      const token = new Token(mine);
      const { answer, told } = create({ maxAgeMs });
      return {
        told,
        /** Returns the last `Set-Cookie` header of the answer to a browser with this cookie. */
        answerTo: async (cookies?: string, isFailure = false) =>
          (await answer(token, cookies, { isFailure })).at(-1),
      };
    };
    const set = (time: string) =>
      `token=${mine}; Max-Age=900; Path=/; Expires=Mon, 01 Jun 2026 ${time} GMT`;
    const held = `token=${mine}`;

    it('sets it again once half of its life is over, and not before', async () => {
      const { answerTo, told } = createShort();
      const seen: unknown[] = [];
      at(0);
      seen.push(await answerTo());
      for (const minutes of [1, 7.4, 7.5, 7.6, 14, 15]) {
        at(minutes);
        seen.push(await answerTo(held));
      }
      const none = undefined;
      expect(seen).toEqual([
        set('00:15:00'),
        none,
        none,
        set('00:22:30'),
        none,
        none,
        set('00:30:00'),
      ]);
      expect(told).toHaveLength(3);
    });

    it('sets it for the rest of the token’s life at last, and not again', async () => {
      const { answerTo } = createShort();
      at(50);
      expect(await answerTo(held)).toBe(issued(mine));
      at(58);
      expect(await answerTo(held)).toBeUndefined();
    });

    it('sets one that another replica has set, or this one before its restart', async () => {
      const { answerTo } = createShort();
      at(1);
      expect(await answerTo(held)).toBe(set('00:16:00'));
      at(2);
      expect(await answerTo(held)).toBeUndefined();
    });

    it('tries again with the next answer if one fails', async () => {
      const { answerTo } = createShort();
      at(1);
      expect(await answerTo(held, true)).toBeUndefined();
      expect(await answerTo(held)).toBe(set('00:16:00'));
    });

    it('keeps a newer one of the same user until it ends', async () => {
      const { answer } = create({
        verifies: token => token === newer,
        maxAgeMs: 15 * MINUTE,
      });
      at(1);
      expect(await answer(new Token(mine), `token=${newer}`)).toEqual([]);
    });

    it.each([60, 61, 24 * 60])(
      'is not one that may live %i minutes: the token does not',
      async minutes => {
        const { answerTo } = createShort(minutes * MINUTE);
        at(0);
        expect(await answerTo()).toBe(issued(mine));
        at(59);
        expect(await answerTo(held)).toBeUndefined();
        // At another replica.
        const other = createShort(minutes * MINUTE);
        expect(await other.answerTo(held)).toBeUndefined();
      },
    );
  });

  describe('for a client that returns no cookie', () => {
    /** Returns for each of many requests with one token whether its answer sets the cookie. */
    const answers = async (
      headers: Record<string, string>,
      cookiesOf: (i: number) => string | undefined = () => undefined,
    ) => {
      const { answer } = create();
      const token = new Token(mine);
      const isSet: boolean[] = [];
      for (let i = 0; i < 25; i += 1) {
        const setCookies = await answer(token, cookiesOf(i), { headers });
        isSet.push(setCookies.includes(issued(mine)));
      }
      return isSet;
    };

    it.each([
      ['a script', {}],
      ['a script with a name', { 'user-agent': 'curl/8 (not Mozilla/5.0)' }],
      // `fetch` of Node sends this header, and keeps no cookies.
      ['Node', { 'sec-fetch-mode': 'cors', 'user-agent': 'node' }],
    ])('stops after ten times if the client is %s', async (_, headers) => {
      const isSet = await answers(headers);
      expect(isSet.lastIndexOf(true)).toBe(9);
      expect(isSet.slice(0, 10)).toEqual(Array(10).fill(true));
    });

    it.each([
      ['on https', { 'sec-fetch-site': 'same-origin' }],
      ['that is asked by its user', { 'sec-fetch-site': 'none' }],
      ['on http', { 'user-agent': 'Mozilla/5.0 (X11) Firefox/145.0' }],
    ])('never stops for a browser %s', async (_, headers) => {
      expect(await answers(headers)).toEqual(Array(25).fill(true));
    });

    it('replaces a wrong cookie each time', async () => {
      const isSet = await answers({}, () => 'token=x');
      expect(isSet).toEqual(Array(25).fill(true));
    });

    it('begins again once the client has returned the cookie', async () => {
      const isSet = await answers({}, i =>
        i === 5 ? `token=${mine}` : undefined,
      );
      expect(isSet[5]).toBe(false);
      expect(isSet.lastIndexOf(true)).toBe(15);
    });
  });

  describe('for a token that is too large', () => {
    const ofSize = (size: number) =>
      new Token(mine + 'x'.repeat(size - mine.length));
    const large = ofSize(MAX_TOKEN_BYTES + 1);

    it('sets no cookie, clears the present one, and gives up on a script', async () => {
      const { answer } = create();
      const token = ofSize(MAX_TOKEN_BYTES + 1);
      expect(await answer(token)).toEqual([]);
      expect(await answer(token, 'token.1=x')).toEqual(cleared('token.1'));
      expect(token.sentCookies).toBe(2);
      for (let i = 0; i < 25; i += 1) {
        await answer(token);
      }
      expect(token.sentCookies).toBe(10);
    });

    it('warns once an hour', async () => {
      const { answer, warnings } = create();
      await answer(large);
      expect(warnings).toEqual([
        expect.stringContaining(
          `issues no cookie to user:default/a: the token has ${MAX_TOKEN_BYTES + 1} bytes`,
        ),
      ]);
      const startedAt = performance.now();
      const clock = jest.spyOn(performance, 'now');
      for (const [minutes, expected] of [
        [59, 1],
        [61, 2],
      ]) {
        clock.mockReturnValue(startedAt + minutes * 60_000);
        // The cache reads the clock once a millisecond.
        await new Promise(resolve => setTimeout(resolve, 5));
        await answer(large);
        expect(warnings).toHaveLength(expected);
      }
      clock.mockRestore();
    });

    it('is not one of exactly the largest size', async () => {
      const { answer, warnings } = create();
      const setCookies = await answer(ofSize(MAX_TOKEN_BYTES));
      expect(setCookies.length).toBeGreaterThan(1);
      expect(warnings).toEqual([]);
    });
  });
});
