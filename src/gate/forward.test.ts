import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Request } from 'express';
import { unsignedToken } from '../__testUtils__/unsignedToken';
import { GateCookie, MAX_TOKEN_BYTES } from '../cookie/GateCookie';
import { Token } from '../credentials/token';
import type { VerifiedCredential } from '../credentials/verifyCredential';
import { chooseHeaders, forward, setIdentity } from './forward';
import type { ExpressRequest, ForwardedHeaders } from './GateRequest';

const gateCookie = new GateCookie(
  { enabled: true, name: 'token', attributes: {} } as never,
  '[::1]',
);
const ALL = 'a=1; token=t; backstage-auth=u';
const A = 'user:default/a';
const services = { cookieTypes: new Set(['vnd.backstage.user']) };

function verifiedOf(text: string, principal: object): VerifiedCredential {
  return {
    credentials: { $$type: '@backstage/BackstageCredentials', principal },
    token: new Token(text),
  } as VerifiedCredential;
}
const user = { type: 'user', userEntityRef: A };
const full = (ent?: string[]) =>
  unsignedToken('vnd.backstage.user', { sub: A, ent });
const limited = unsignedToken('vnd.backstage.limited-user', { sub: A });

describe('forward', () => {
  const headersAfter = (forwarded: ForwardedHeaders, cookie?: GateCookie) => {
    const req = new IncomingMessage(new Socket());
    Object.assign(req.headers, { authorization: 'Bearer own', cookie: ALL });
    forward({ req, forwarded }, cookie);
    return req.headers;
  };

  it.each<[ForwardedHeaders, string, string]>([
    [{}, 'Bearer own', 'a=1; backstage-auth=u'],
    [{ bearer: 'b' }, 'Bearer b', 'a=1; backstage-auth=u'],
    [{ bearer: '' }, 'Bearer ', 'a=1; backstage-auth=u'],
    [{ userCookie: 'removed' }, 'Bearer own', 'a=1'],
    [{ gateCookie: 'as received' }, 'Bearer own', ALL],
    [
      { gateCookie: 'as received', userCookie: 'removed' },
      'Bearer own',
      'a=1; token=t',
    ],
    [
      { gateCookie: { token: 'other' } },
      'Bearer own',
      'token=other; a=1; backstage-auth=u',
    ],
  ])('of %j sets %s and %s', (forwarded, authorization, cookie) => {
    expect(headersAfter(forwarded, gateCookie)).toMatchObject({
      authorization,
      cookie,
    });
  });

  it('removes what a handler may answer 304 to', () => {
    const req = new IncomingMessage(new Socket());
    const validators = { 'if-none-match': '"1"', 'if-modified-since': 'x' };
    Object.assign(req.headers, validators, { 'if-match': '"1"' });
    forward({ req, forwarded: {} }, gateCookie);
    expect(req.headers).toMatchObject(validators);
    req.method = 'GET';
    forward({ req, forwarded: { validators: 'removed' } }, gateCookie);
    expect(req.headers).toEqual({ 'if-match': '"1"' });
  });

  it.each(['PUT', 'POST', 'PATCH', 'DELETE'])(
    'leaves a %s its conditions: without them it would replace what it must not',
    method => {
      const req = new IncomingMessage(new Socket());
      req.method = method;
      const conditions = { 'if-none-match': '*', 'if-modified-since': 'x' };
      Object.assign(req.headers, conditions);
      forward({ req, forwarded: { validators: 'removed' } }, gateCookie);
      expect(req.headers).toEqual(conditions);
    },
  );

  it('marks a request only if a gate behind may see its cookie as one to renew', () => {
    const marked = (forwarded: ForwardedHeaders, cookie?: GateCookie) =>
      'x-api-gate-cookie-issued-in-front' in headersAfter(forwarded, cookie);
    expect(marked({ gateCookie: { token: 'other' } }, gateCookie)).toBe(true);
    expect(marked({ gateCookie: { token: 'other' } })).toBe(false);
    expect(marked({ gateCookie: 'as received' }, gateCookie)).toBe(false);
    expect(marked({}, gateCookie)).toBe(false);
  });

  it.each<[ForwardedHeaders]>([[{}], [{ gateCookie: { token: 'other' } }]])(
    'of %j leaves the cookies where the gate has none',
    forwarded => {
      expect(headersAfter(forwarded).cookie).toBe(ALL);
    },
  );
});

describe('chooseHeaders', () => {
  const chosen = (
    credential: string,
    isInstalled: boolean,
    verified: VerifiedCredential,
  ) => {
    const request = { credential, isInstalled, forwarded: {} };
    chooseHeaders(request as unknown as ExpressRequest, verified, services);
    return request.forwarded;
  };
  const token = full();
  const verified = verifiedOf(token, user);

  it.each([
    ['cookie', true, { bearer: token }],
    ['bearer', true, {}],
    ['cookie', false, { bearer: token, gateCookie: { token } }],
    ['bearer', false, { gateCookie: { token } }],
  ])(
    'for a user by %s, at a plugin whose installation is %s, is %j',
    (credential, isInstalled, expected) => {
      expect(chosen(credential, isInstalled, verified)).toEqual(expected);
    },
  );

  it('adds the cookie for a full user token only', () => {
    expect(chosen('bearer', false, verifiedOf(limited, user))).toEqual({});
    const service = { type: 'service', subject: 'external:ci' };
    expect(chosen('bearer', false, verifiedOf('static', service))).toEqual({});
  });

  it('adds the cookie for a token that fits into one', () => {
    const text = token + 'x'.repeat(MAX_TOKEN_BYTES - token.length);
    const claims = new Token(token).claims;
    const sized = (of: string): VerifiedCredential => ({
      ...verified,
      token: { text: of, claims, userToken: claims } as Token,
    });
    expect(chosen('bearer', false, sized(text))).toEqual({
      gateCookie: { token: text },
    });
    expect(chosen('bearer', false, sized(`${text}x`))).toEqual({});
  });
});

describe('setIdentity', () => {
  const identityOf = (verified: VerifiedCredential) => {
    const req = {} as Request & { user?: unknown };
    setIdentity(req, verified);
    return req.user;
  };

  it.each([
    ['a user', full([A, 'group:default/g']), [A, 'group:default/g']],
    ['a user without entities', full(), []],
    ['a limited token', limited, []],
  ])('names the user of %s', (_, token, ownershipEntityRefs) => {
    expect(identityOf(verifiedOf(token, user))).toEqual({
      token,
      identity: { type: 'user', userEntityRef: A, ownershipEntityRefs },
    });
  });

  it('names nobody for a service', () => {
    const service = { type: 'service', subject: 'external:ci' };
    expect(identityOf(verifiedOf('static', service))).toBeUndefined();
  });
});
