import type { IncomingMessage } from 'node:http';
import { unsignedToken } from '../../__tests__/__testUtils__/unsignedToken';
import { GateCookie } from '../cookie/GateCookie';
import { Refusal } from '../Refusal';
import {
  countHeader,
  presentsCredential,
  readCredential,
  readPlaces,
  readUserCookie,
} from './readCredential';

const CONFLICT = Refusal.because('conflicting-cookies');

const cookie = new GateCookie(
  { enabled: true, name: 'token', attributes: {} } as never,
  'localhost',
);
const jwt = unsignedToken('vnd.backstage.user', { sub: 'user:default/a' });

type PlaceSettings = Partial<Parameters<typeof readPlaces>[1]>;

const placesFor = (req: IncomingMessage, settings: PlaceSettings = {}) =>
  readPlaces(req, { cookie, isForeignPath: false, ...settings });

/** Makes a request as Node does: its raw headers have every line. */
const request = (headers: Record<string, string>, ...more: string[]) =>
  ({
    headers,
    rawHeaders: [...Object.entries(headers).flat(), ...more],
  }) as IncomingMessage;

/** Returns the kind and the token that a request presents, or the reason of its refusal. */
function read(req: IncomingMessage, acceptsUserCookie = false) {
  const presented = readCredential(
    req,
    placesFor(req),
    () => acceptsUserCookie,
  );
  return presented instanceof Refusal
    ? presented.reason
    : [presented.kind, presented.token];
}

describe('readCredential', () => {
  it.each<[Record<string, string>, string | string[]]>([
    [{}, 'missing-credentials'],
    [{ authorization: 'Bearer x' }, ['bearer', 'x']],
    [{ authorization: 'bearer   x.y.z' }, ['bearer', 'x.y.z']],
    [{ authorization: 'Basic x' }, 'unsupported-scheme'],
    [{ authorization: 'Bearer' }, 'unsupported-scheme'],
    [{ authorization: 'Bearer ' }, 'unsupported-scheme'],
    [{ cookie: 'token=c' }, ['cookie', 'c']],
    [{ cookie: 'token.0=c; token.1=d' }, ['cookie', 'cd']],
    [{ cookie: 'token=c; token=d' }, 'conflicting-cookies'],
    [{ cookie: 'backstage-auth=s' }, 'missing-credentials'],
    [{ authorization: '', cookie: 'token=c' }, ['cookie', 'c']],
    // The `Authorization` header is final.
    [{ authorization: 'Basic x', cookie: 'token=c' }, 'unsupported-scheme'],
    [
      { authorization: 'Bearer x', cookie: 'token=c; token=d' },
      ['bearer', 'x'],
    ],
    // Only names of headers are compared.
    [{ authorization: 'Bearer x', 'x-name': 'authorization' }, ['bearer', 'x']],
  ])('reads %j as %j', (headers, expected) => {
    expect(read(request(headers))).toEqual(expected);
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
    expect(read(req)).toBe('repeated-authorization');
  });

  it.each<[string, string | string[]]>([
    ['', 'missing-credentials'],
    ['backstage-auth=s', ['user-cookie', 's']],
    ['a=1; a=2; backstage-auth=s', ['user-cookie', 's']],
    ['backstage-auth=s; a=1; backstage-auth=s', ['user-cookie', 's']],
    ['backstage-auth=s; backstage-auth=t', 'conflicting-cookies'],
    ['backstage-auth=', 'missing-credentials'],
    ['backstage-auths=s', 'missing-credentials'],
    ['backstage-auth.0=s; backstage-auth.0=t', 'missing-credentials'],
    ['a=1', 'missing-credentials'],
    ['backstage-auth=s; token=c', ['cookie', 'c']],
    ['backstage-auth=s; token=c; token=d', 'conflicting-cookies'],
  ])(
    'reads the cookies %s as %j if Backstage’s own cookie is accepted',
    (header, expected) => {
      expect(read(request({ cookie: header }), true)).toEqual(expected);
    },
  );

  it('reads no cookie of the gate if the cookie is disabled', () => {
    const req = request({ cookie: 'token=c; token=d' });
    const places = placesFor(req, { cookie: undefined });
    expect(readCredential(req, places, () => false)).toBe(
      Refusal.because('missing-credentials'),
    );
  });

  it('reads Backstage’s own cookie also if the gate’s is disabled', () => {
    const req = request({ cookie: 'token=c; token=d; backstage-auth=s' });
    const places = placesFor(req, { cookie: undefined });
    expect(readCredential(req, places, () => true)).toEqual({
      kind: 'user-cookie',
      token: 's',
    });
  });
});

describe('readCredential with a credential header', () => {
  const header = { header: 'x-backstage-token' };
  const readWith = (
    headers: Record<string, string>,
    settings: PlaceSettings = header,
  ) => {
    const req = request(headers);
    const places = placesFor(req, settings);
    const presented = readCredential(req, places, () => true);
    return presented instanceof Refusal
      ? [presented.reason, presented.detail]
      : [presented.kind, presented.token, places.ignoresAuthorization];
  };
  const malformed = ['invalid-token', 'malformed'];

  it.each([
    ['x', 'x'],
    ['Bearer x', 'x'],
    ['bearer   x.y.z', 'x.y.z'],
  ])('reads %s, whatever else the request has', (value, token) => {
    const requests: Record<string, string>[] = [
      {},
      { authorization: 'Basic a' },
      { authorization: 'Bearer y', cookie: 'token=c' },
      { cookie: 'token=c; token=d' },
    ];
    for (const others of requests) {
      expect(readWith({ ...others, 'x-backstage-token': value })).toEqual([
        'bearer',
        token,
        true,
      ]);
    }
  });

  it.each(['', ' ', 'x, x', 'x,', 'Basic x', 'Bearer x y', 'x y'])(
    'refuses %j, and tries nothing else',
    value => {
      const others = { authorization: 'Bearer y', cookie: 'token=c' };
      expect(readWith({ ...others, 'x-backstage-token': value })).toEqual(
        malformed,
      );
    },
  );

  it.each<[Record<string, string>, unknown[]]>([
    [{}, ['missing-credentials', undefined]],
    [{ authorization: 'Bearer y', cookie: 'token=c' }, ['bearer', 'y', false]],
    [
      { authorization: 'Bearer', cookie: 'token=c' },
      ['unsupported-scheme', undefined],
    ],
    [
      { authorization: 'bearer\tx', cookie: 'token=c' },
      ['unsupported-scheme', undefined],
    ],
    [{ authorization: 'Basic a' }, ['missing-credentials', undefined]],
    [{ authorization: 'Basic a', cookie: 'token=c' }, ['cookie', 'c', true]],
    [
      { authorization: 'Basic a', cookie: 'backstage-auth=s' },
      ['user-cookie', 's', true],
    ],
    [{ cookie: 'token=c' }, ['cookie', 'c', false]],
  ])('without it, reads %j as %j', (headers, expected) => {
    expect(readWith(headers)).toEqual(expected);
  });

  it.each<[Record<string, string>, unknown[]]>([
    [{ authorization: 'Bearer y' }, ['missing-credentials', undefined]],
    [{ authorization: 'Bearer y', cookie: 'token=c' }, ['cookie', 'c', true]],
    [{ cookie: 'token=c' }, ['cookie', 'c', true]],
    [
      { authorization: 'Bearer y', 'x-backstage-token': 'x' },
      ['missing-credentials', undefined],
    ],
  ])('at a foreign path, reads %j as %j', (headers, expected) => {
    expect(readWith(headers, { isForeignPath: true })).toEqual(expected);
  });

  it.each([{}, header, { isForeignPath: true }])(
    'refuses two Authorization headers with %j',
    settings => {
      const req = request(
        { authorization: 'Bearer x', 'x-backstage-token': 'x' },
        'AUTHORIZATION',
        'Bearer y',
      );
      const places = placesFor(req, settings);
      const presented = readCredential(req, places, () => false);
      expect(presented).toBe(Refusal.because('repeated-authorization'));
    },
  );
});

describe('readUserCookie', () => {
  it.each([
    ['backstage-auth=s', 's'],
    ['backstage-auth=s; backstage-auth=t', CONFLICT],
    ['backstage-auth=; token=c', undefined],
  ])('returns for %s %j', (header, expected) => {
    expect(readUserCookie(request({ cookie: header }))).toEqual(expected);
  });
});

describe('presentsCredential', () => {
  it.each<[Record<string, string>, boolean]>([
    [{}, false],
    [{ cookie: 'a=1', 'sec-websocket-protocol': 'graphql-ws' }, false],
    [{ authorization: 'Basic x' }, true],
    [{ cookie: 'token=c; token=d' }, true],
    [{ cookie: 'backstage-auth=s' }, true],
    [{ 'sec-websocket-protocol': `graphql-ws, ${jwt}` }, true],
  ])('holds for %j: %s', (headers, expected) => {
    const req = request(headers);
    expect(presentsCredential(req, placesFor(req))).toBe(expected);
  });
});

describe('countHeader', () => {
  it('counts the lines of a header in any letter case', () => {
    const rawHeaders = [
      ...['Authorization', 'a', 'AUTHORIZATION', 'b'],
      ...['Authorizatiox', 'c', 'Authorization-X', 'd', 'X', 'authorization'],
    ];
    expect(countHeader({ rawHeaders } as never, 'authorization')).toBe(2);
  });
});
