import type { IncomingMessage } from 'node:http';
import { GateCookie } from '../cookie/GateCookie';
import { readBearer, readCredential } from './readCredential';

const cookie = new GateCookie(
  { enabled: true, name: 'token', attributes: {} } as never,
  'localhost',
);

/** Makes a request as Node does: its raw headers have every line. */
const request = (headers: Record<string, string>, ...more: string[]) =>
  ({
    headers,
    rawHeaders: [...Object.entries(headers).flat(), ...more],
  }) as IncomingMessage;

const read = (
  req: IncomingMessage,
  options: { acceptsStock?: boolean; withoutCookie?: boolean } = {},
) =>
  readCredential(req, {
    cookie: options.withoutCookie ? undefined : cookie,
    acceptsUserCookie: () => options.acceptsStock ?? false,
  });

describe('readCredential', () => {
  it.each([
    [{}, { kind: 'none' }],
    [{ authorization: 'Bearer x' }, { kind: 'bearer', token: 'x' }],
    [{ authorization: 'bearer   x.y.z' }, { kind: 'bearer', token: 'x.y.z' }],
    [{ authorization: 'Basic x' }, { kind: 'unsupported-scheme' }],
    [{ authorization: 'Bearer' }, { kind: 'unsupported-scheme' }],
    [{ authorization: 'Bearer ' }, { kind: 'unsupported-scheme' }],
    [{ cookie: 'token=c' }, { kind: 'cookie', token: 'c' }],
    [{ cookie: 'token.0=c; token.1=d' }, { kind: 'cookie', token: 'cd' }],
    [{ cookie: 'token=c; token=d' }, { kind: 'conflicting-cookies' }],
    [{ cookie: 'backstage-auth=s' }, { kind: 'none' }],
    [
      { authorization: '', cookie: 'token=c' },
      { kind: 'cookie', token: 'c' },
    ],
    // The `Authorization` header is final.
    [
      { authorization: 'Basic x', cookie: 'token=c' },
      { kind: 'unsupported-scheme' },
    ],
    [
      { authorization: 'Bearer x', cookie: 'token=c; token=d' },
      { kind: 'bearer', token: 'x' },
    ],
  ])('reads %j as %j', (headers, expected) => {
    expect(read(request(headers as never))).toEqual(expected);
  });

  it.each([
    ['authorization', 'Bearer y'],
    ['AUTHORIZATION', 'Basic y'],
    ['Authorization', ''],
  ])('accepts none of two headers, the second %s: %s', (name, value) => {
    const req = request(
      { authorization: 'Bearer x' },
      'X-Other',
      '1',
      name,
      value,
    );
    expect(read(req)).toEqual({ kind: 'repeated-authorization' });
  });

  it('compares names of headers only', () => {
    const req = request({
      authorization: 'Bearer x',
      'x-name': 'authorization',
    });
    expect(read(req)).toEqual({ kind: 'bearer', token: 'x' });
  });

  it.each([
    ['backstage-auth=s', { kind: 'user-cookie', token: 's' }],
    ['a=1; a=2; backstage-auth=s', { kind: 'user-cookie', token: 's' }],
    [
      'backstage-auth=s; a=1; backstage-auth=s',
      { kind: 'user-cookie', token: 's' },
    ],
    ['backstage-auth=s; backstage-auth=t', { kind: 'conflicting-cookies' }],
    ['backstage-auth=', { kind: 'none' }],
    ['backstage-auths=s', { kind: 'none' }],
    ['backstage-auth.0=s; backstage-auth.0=t', { kind: 'none' }],
    ['a=1', { kind: 'none' }],
    ['backstage-auth=s; token=c', { kind: 'cookie', token: 'c' }],
    ['backstage-auth=s; token=c; token=d', { kind: 'conflicting-cookies' }],
  ])(
    'reads the cookies %s as %j if Backstage’s own cookie is accepted',
    (header, expected) => {
      expect(read(request({ cookie: header }), { acceptsStock: true })).toEqual(
        expected,
      );
    },
  );

  it('reads no cookies as none if Backstage’s own cookie is accepted', () => {
    expect(read(request({}), { acceptsStock: true })).toEqual({ kind: 'none' });
  });

  it('reads no cookie of the gate if the cookie is disabled', () => {
    const options = { withoutCookie: true };
    const req = request({ cookie: 'token=c; token=d' });
    expect(read(req, options)).toEqual({ kind: 'none' });
  });
});

describe('readBearer', () => {
  it.each([
    [undefined, undefined],
    ['', undefined],
    ['Bearer x', 'x'],
    ['BEARER  x', 'x'],
    ['Bearer x y', undefined],
    ['Bearer x ', undefined],
    ['Bearerx', undefined],
    ['xBearer x', undefined],
    [' Bearer x', undefined],
    ['Bearer\tx', undefined],
    ['Basic x', undefined],
  ])('for %j returns %j', (authorization, expected) => {
    expect(readBearer(request({ authorization } as never))).toBe(expected);
  });
});
