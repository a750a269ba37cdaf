import { ServerResponse } from 'node:http';
import express, { type Response } from 'express';
import { unsignedToken } from '../__testUtils__/unsignedToken';
import { GateCookie } from '../cookie/GateCookie';
import type { TokenCookieIssuer } from '../cookie/DefaultCookieIssuer';
import { Token } from '../credentials/token';
import type { VerifiedCredential } from '../credentials/verifyCredential';
import { createCrossSiteCheck } from '../policy/createCrossSiteCheck';
import type { ExpressRequest } from './GateRequest';
import {
  CookieServices,
  isFullUserToken,
  issueCookie,
  restrictUserResponse,
} from './userResponse';

const A = 'user:default/a';
const ORIGIN = 'https://backstage.example.com';
const APP_ORIGIN = 'https://app.example.com';
const COOKIE_ENDPOINT = '/.backstage/auth/v1/cookie';
const user = { type: 'user', userEntityRef: A };
const service = { type: 'service', subject: 'plugin:search' };

const EXP = 1_800_000_000;
const full = unsignedToken('vnd.backstage.user', { sub: A, exp: EXP });
const limited = unsignedToken('vnd.backstage.limited-user', { sub: A });
const acting = unsignedToken('vnd.backstage.plugin', {
  sub: 'search',
  obo: full,
});
const untyped = unsignedToken(undefined, { sub: A, aud: 'other' });

const verifiedOf = (text: string, principal: object) =>
  ({
    credentials: { principal },
    token: new Token(text),
  }) as VerifiedCredential;

describe('isFullUserToken', () => {
  it.each([
    ['a user', full, user, true],
    ['a user by whom a service acts', full, { ...user, actor: service }, false],
    ['a user token that stands for a service', full, service, false],
    ['a limited token', limited, user, false],
    ['a service that acts for a user', acting, user, false],
    ['a static token', 'static', user, false],
    // Its type may become the cookie, and its audience is no user's.
    ['a token without a type', untyped, user, false],
  ])('of %s', (_, token, principal, expected) => {
    const cookieTypes = new Set(['vnd.backstage.user', undefined]);
    expect(isFullUserToken(verifiedOf(token, principal), { cookieTypes })).toBe(
      expected,
    );
  });

  it('of a type that may not become the cookie is false', () => {
    const cookieTypes = new Set([undefined]);
    expect(isFullUserToken(verifiedOf(full, user), { cookieTypes })).toBe(
      false,
    );
  });
});

describe('restrictUserResponse', () => {
  it.each([
    ['/declared', 'cookie', 'document', { 'cache-control': 'private' }],
    ['/trusted', 'cookie', 'image', { 'cache-control': 'private' }],
    ['/trusted', 'cookie', 'document', { 'cache-control': 'no-store' }],
    ['/trusted', 'bearer', 'document', {}],
    ['/x', 'none', 'document', { 'content-security-policy': 'sandbox' }],
  ] as const)('of %s, with %s for %s, sets %j', (...row) => {
    const [path, credential, destination, expected] = row;
    const res: Response = Object.setPrototypeOf(
      new ServerResponse({
        headers: { 'sec-fetch-dest': destination },
      } as never),
      express.response,
    );
    const request = {
      res,
      method: 'GET',
      path,
      plugin: {
        id: 'hello',
        isForCookies: (below: string) => below === '/declared',
      },
      policy: {
        isTrustedPath: (_: string, below: string) => below === '/trusted',
      },
    } as unknown as ExpressRequest;
    restrictUserResponse(request, credential);
    res.setHeader('Content-Type', 'text/html');
    res.writeHead(200);
    expect({ ...res.getHeaders() }).toEqual({
      'content-type': 'text/html',
      ...expected,
    });
  });
});

describe('issueCookie', () => {
  function create(
    options: {
      method?: string;
      headers?: object;
      path?: string;
      verified?: VerifiedCredential;
      issue?: TokenCookieIssuer['issueCookie'];
      services?: Partial<CookieServices>;
    } = {},
  ) {
    const { method = 'GET', headers = {}, path = '/x' } = options;
    const { verified = verifiedOf(full, user) } = options;
    const issued = jest.fn(options.issue);
    const warn = jest.fn();
    const cookieNotIssued = jest.fn();
    const req = { method, headers };
    const res = {} as Response;
    const request = {
      req,
      res,
      path,
      forwarded: {},
      pluginId: 'hello',
      policy: {
        config: { backendOrigin: ORIGIN },
        isCrossSite: createCrossSiteCheck([ORIGIN, APP_ORIGIN]),
      },
    } as unknown as ExpressRequest;
    const issue = () =>
      issueCookie(request, verified, {
        cookie: {
          expiryFor: exp => new Date(exp * 1000),
        } as GateCookie,
        cookieIssuer: () => ({ issueCookie: issued }),
        cookieTypes: new Set(['vnd.backstage.user']),
        logger: { warn } as never,
        observer: { cookieNotIssued },
        ...options.services,
      });
    return { issue, issued, warn, cookieNotIssued, req, res, verified };
  }

  it('gives the user and the token to the issuer', async () => {
    const { issue, issued, req, res, verified, ...told } = create();
    expect(issue()).toBeUndefined();
    const { credentials, token } = verified;
    const expires = new Date(EXP * 1000);
    expect(issued.mock.calls).toEqual([
      [
        {
          credentials,
          token: full,
          expires,
          presented: token,
          forwarded: {},
          req,
          res,
        },
      ],
    ]);
    expect(told.warn).not.toHaveBeenCalled();
    expect(told.cookieNotIssued).not.toHaveBeenCalled();
  });

  it.each([
    ['where the gate has no cookie', { services: { cookie: undefined } }],
    ['without an issuer', { services: { cookieIssuer: () => undefined } }],
    ['for OPTIONS', { method: 'OPTIONS' }],
    ['for a limited token', { verified: verifiedOf(limited, user) }],
    [
      'behind another gate',
      { headers: { 'x-api-gate-cookie-issued-in-front': '1' } },
    ],
  ])('issues none %s', (_, options) => {
    const { issue, issued, cookieNotIssued } = create(options);
    expect(issue()).toBeUndefined();
    expect(issued).not.toHaveBeenCalled();
    expect(cookieNotIssued).not.toHaveBeenCalled();
  });

  it('issues none to another site, by whatever method', () => {
    const headers = { 'sec-fetch-site': 'cross-site' };
    const { issue, issued, cookieNotIssued } = create({ headers });
    issue();
    expect(issued).not.toHaveBeenCalled();
    expect(cookieNotIssued.mock.calls).toEqual([['cross-site']]);
  });

  it.each([
    [ORIGIN, '/x', 1],
    [APP_ORIGIN, '/x', 0],
    [APP_ORIGIN, COOKIE_ENDPOINT, 1],
    [ORIGIN, COOKIE_ENDPOINT, 1],
  ])('to %s at %s: %i', (origin, path, expected) => {
    const { issue, issued, cookieNotIssued } = create({
      headers: { origin },
      path,
    });
    issue();
    expect(issued).toHaveBeenCalledTimes(expected);
    expect(cookieNotIssued).not.toHaveBeenCalled();
  });

  it.each([
    ['throws an error', new TypeError('secret'), 'TypeError', false],
    ['throws anything else', 'secret', 'string', false],
    ['rejects', new TypeError('secret'), 'TypeError', true],
  ])(
    'logs an issuer that %s, and refuses nothing',
    async (_, thrown, errorType, isAsync) => {
      const { issue, warn, cookieNotIssued } = create({
        issue: () => {
          if (isAsync) {
            return Promise.reject(thrown);
          }
          throw thrown;
        },
      });
      await issue();
      expect(cookieNotIssued.mock.calls).toEqual([['issuer-failed']]);
      expect(warn.mock.calls).toEqual([
        ['API gate issued no cookie: the issuer failed', { errorType }],
      ]);
    },
  );
});
