import { withoutCookies } from '../read/cookieHeader';
import { Refusal } from '../Refusal';
import { GateCookie, MAX_TOKEN_BYTES } from './GateCookie';

const CONFLICT = Refusal.because('conflicting-cookies');

const attributes = {
  httpOnly: true,
  path: '/',
  sameSite: 'lax',
  secure: true,
} as const;
const settings = {
  enabled: true,
  name: 'token',
  maxAgeMs: undefined,
  attributes,
};
const cookie = new GateCookie(settings, 'backstage.example.com');
const expires = new Date('2030-01-01T00:00:00Z');

/** Applies `Set-Cookie` headers to a jar, and returns the `Cookie` header that a browser sends next. */
function browser(jar: Map<string, string>, setCookies: string[]) {
  for (const setCookie of setCookies) {
    const [pair, ...rest] = setCookie.split('; ');
    const domain = rest.find(attribute => attribute.startsWith('Domain='));
    const name = pair.slice(0, pair.indexOf('='));
    const key = `${name} ${domain ?? ''}`;
    if (rest.includes('Expires=Thu, 01 Jan 1970 00:00:00 GMT')) {
      jar.delete(key);
    } else {
      jar.set(key, pair);
    }
  }
  return [...jar.values()].join('; ');
}

describe('GateCookie', () => {
  it('is read as it was set, whatever the size, and in any order of its parts', () => {
    const jar = new Map<string, string>();
    let header = '';
    const sizes = [1, 500, 3900, 3970, 4000, 4096, 5500];
    for (const size of [...sizes, MAX_TOKEN_BYTES, 10, 8000, 4200]) {
      const token = `${'x'.repeat(size - 1)}y`;
      const setCookies = [
        ...cookie.clear(header),
        ...cookie.set(token, expires),
      ];
      for (const setCookie of setCookies) {
        expect(setCookie.length).toBeLessThanOrEqual(4096);
        expect(setCookie).toMatch(
          /; Path=\/; Expires=.*; HttpOnly; Secure; SameSite=Lax$/,
        );
      }
      header = browser(jar, setCookies);
      expect(cookie.read(header)).toEqual(token);
      expect(cookie.read(header.split('; ').reverse().join('; '))).toEqual(
        token,
      );
    }
    expect(browser(jar, cookie.clear(header))).toBe('');
  });

  it('is whole as long as it fits, and never in more parts than it needs', () => {
    const attributesSize = cookie.set('', expires)[0].length;
    const largest = 4096 - attributesSize;
    const ofPart = largest - 3;
    for (const [size, count] of [
      [largest, 1],
      [largest + 1, 2],
      [2 * ofPart, 2],
      [2 * ofPart + 1, 3],
    ]) {
      expect(cookie.set('x'.repeat(size), expires)).toHaveLength(count);
    }
  });

  it('has a maximum size at which Node accepts the token twice', () => {
    expect(MAX_TOKEN_BYTES).toBe(6144);
  });

  it('has more parts if Node accepts larger headers', () => {
    jest.isolateModules(() => {
      jest.doMock('node:http', () => ({
        ...jest.requireActual('node:http'),
        maxHeaderSize: 100_000,
      }));
      const large = require('./GateCookie') as typeof import('./GateCookie');
      expect(large.MAX_TOKEN_BYTES).toBe(47_952);
      const ofServer = new large.GateCookie(settings, 'localhost');
      const token = 'x'.repeat(large.MAX_TOKEN_BYTES);
      const header = browser(new Map(), ofServer.set(token, expires));
      expect(header).toContain('token.11=');
      expect(ofServer.read(header)).toEqual(token);
      jest.dontMock('node:http');
    });
  });

  it('replaces the cookie of the tutorial, which had a domain', () => {
    const jar = new Map([['token Domain=backstage.example.com', 'token=old']]);
    const header = browser(jar, [
      ...cookie.clear('token=old'),
      ...cookie.set('new', expires),
    ]);
    expect(header).toBe('token=new');
  });

  it.each([
    [undefined, undefined],
    ['', undefined],
    [';;; ;', undefined],
    ['token', undefined],
    [
      'Token=x; tokens=x; atoken=x; token.=x; token.a=x; token.01=x; token.1.2=x; token-0=x; atoken0=x',
      undefined,
    ],
    ['token 0=x; token\t=', undefined],
    ['token=', undefined],
    ['token=x', 'x'],
    ['a=1;token=x;b=2', 'x'],
    ['token=x; token=x', 'x'],
    ['token="x"', 'x'],
    ['token=%78', 'x'],
    ['token=%', '%'],
    ['token=x; token=y', CONFLICT],
    ['token=x; token=', 'x'],
    ['token.0=x; token.1=y', 'xy'],
    ['token.1=y; token.0=x', 'xy'],
    ['token.0=x', 'x'],
    ['token.1=y', CONFLICT],
    ['token.0=x; token.2=y', CONFLICT],
    ['token.0=x; token.0=y', CONFLICT],
    ['token=x; token.0=x', CONFLICT],
    ['token=xy; token.0=x; token.1=y', CONFLICT],
  ])('reads %j', (header, expected) => {
    expect(cookie.read(header)).toEqual(expected);
  });

  it('is cleared alone', () => {
    expect(cookie.clear('a=1; token=x; token=y; b')).toEqual(
      cookie.clear('token=x'),
    );
    expect(cookie.clear('a=1')).toEqual([]);
    expect(cookie.clear(undefined)).toEqual([]);
  });

  it('is cleared but for what a new one replaces', () => {
    const set = cookie.set('new', expires);
    expect(cookie.clear('token=x', set)).toEqual([]);
    expect(cookie.clear('token=x; token.1=y', set)).toEqual(
      cookie.clear('token.1=y'),
    );
    expect(cookie.clear('token=x; token=x', set)).toEqual(
      cookie.clear('token=x'),
    );
    const parts = cookie.set('x'.repeat(5000), expires);
    expect(cookie.clear('token.0=x; token.1=y; token=z', parts)).toEqual(
      cookie.clear('token=z'),
    );
  });

  it('excludes names that the gate never issues, so that clearing it stays small', () => {
    const names = Array.from({ length: 500 }, (_, i) => `token.${i}=x`);
    const cleared = cookie.clear(names.join('; '));
    expect(cleared.join('').length).toBeLessThan(2_500);
    const others = withoutCookies('a=1; token.3=x; token.4=x', cookie.names);
    expect(others).toBe('a=1; token.4=x');
  });

  it('has the tokens of all whole cookies, also where they conflict', () => {
    const header = 'token=a; token=b; token.0=c; other=d';
    expect(cookie.read(header)).toBe(CONFLICT);
    expect(cookie.readWhole(header)).toEqual(['a', 'b']);
  });

  it('with a __Host- name never has a domain, not even to clear one', () => {
    const host = new GateCookie(
      { ...settings, name: '__Host-token' },
      'backstage.example.com',
    );
    expect(host.clear('__Host-token=x')).toHaveLength(1);
    expect(host.clear('__Host-token=x').join()).not.toContain('Domain');
  });

  it('with a configured domain is cleared of every domain it may have had', () => {
    const shared = new GateCookie(
      { ...settings, attributes: { ...attributes, domain: 'example.com' } },
      'backstage.example.com',
    );
    expect(shared.set('x', expires)).toEqual([
      'token=x; Domain=example.com; Path=/; Expires=Tue, 01 Jan 2030 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax',
    ]);
    expect(
      shared.clear('token=x').map(c => c.match(/Domain=[^;]*/)?.[0]),
    ).toEqual([
      undefined,
      'Domain=example.com',
      'Domain=backstage.example.com',
    ]);
  });

  it.each([
    ['token', '[::1]', 1],
    ['token', 'my_host', 1],
    ['token', 'localhost', 2],
    ['my__Host-token', 'localhost', 2],
    ['__host-token', 'localhost', 1],
  ])('%s of a backend at %s is cleared of %i domains', (name, host, count) => {
    const named = new GateCookie({ ...settings, name }, host);
    expect(named.clear(`${name}=x`)).toHaveLength(count);
  });
});
