import { GateCookie, MAX_TOKEN_BYTES } from './GateCookie';

const attributes = {
  httpOnly: true,
  path: '/',
  sameSite: 'lax',
  secure: true,
} as const;
const settings = { enabled: true, name: 'token', attributes };
const cookie = new GateCookie(settings, 'backstage.example.com');
const expires = new Date('2030-01-01T00:00:00Z');

/** What a browser keeps of `Set-Cookie` headers, as the `Cookie` header that it sends next. */
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
    for (const size of [
      1,
      500,
      3900,
      3970,
      4000,
      4096,
      5500,
      MAX_TOKEN_BYTES,
      10,
      8000,
      4200,
    ]) {
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
      expect(cookie.read(header)).toEqual({ kind: 'token', token });
      expect(cookie.read(header.split('; ').reverse().join('; '))).toEqual({
        kind: 'token',
        token,
      });
      expect(cookie.without(`a=1; ${header}; b=2`)).toBe('a=1; b=2');
    }
    expect(browser(jar, cookie.clear(header))).toBe('');
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
    [undefined, { kind: 'none' }],
    ['', { kind: 'none' }],
    [';;; ;', { kind: 'none' }],
    ['token', { kind: 'none' }],
    [
      'Token=x; tokens=x; atoken=x; token.=x; token.a=x; token.01=x; token.1.2=x',
      { kind: 'none' },
    ],
    ['token=', { kind: 'none' }],
    ['token=x', { kind: 'token', token: 'x' }],
    ['a=1;token=x;b=2', { kind: 'token', token: 'x' }],
    ['token=x; token=x', { kind: 'token', token: 'x' }],
    ['token="x"', { kind: 'token', token: 'x' }],
    ['token=%78', { kind: 'token', token: 'x' }],
    ['token=%', { kind: 'token', token: '%' }],
    ['token=x; token=y', { kind: 'conflict' }],
    ['token=x; token=', { kind: 'token', token: 'x' }],
    ['token.0=x; token.1=y', { kind: 'token', token: 'xy' }],
    ['token.1=y; token.0=x', { kind: 'token', token: 'xy' }],
    ['token.0=x', { kind: 'token', token: 'x' }],
    ['token.1=y', { kind: 'conflict' }],
    ['token.0=x; token.2=y', { kind: 'conflict' }],
    ['token.0=x; token.0=y', { kind: 'conflict' }],
    ['token=x; token.0=x', { kind: 'conflict' }],
    ['token=xy; token.0=x; token.1=y', { kind: 'conflict' }],
  ])('reads %j', (header, expected) => {
    expect(cookie.read(header)).toEqual(expected);
  });

  it.each([
    [undefined, undefined],
    ['a=1', 'a=1'],
    ['token=x', undefined],
    ['token=x; ', undefined],
    ['a="1 2" ;  b=%20;token=x; c', 'a="1 2" ;  b=%20; c'],
    ['token.0=x; a=1; token.1=y;token=z', 'a=1'],
    ['a=token=x; tokens=1', 'a=token=x; tokens=1'],
  ])('leaves %j as %j', (header, expected) => {
    expect(cookie.without(header)).toBe(expected);
  });

  it('is not what it never issues, so that clearing it stays small', () => {
    const names = Array.from({ length: 500 }, (_, i) => `token.${i}=x`);
    const cleared = cookie.clear(names.join('; '));
    expect(cleared.join('').length).toBeLessThan(2_500);
    expect(cookie.without(names.join('; '))).toContain('token.499=x');
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

  it('takes a backend without a name', () => {
    expect(new GateCookie(settings, '[::1]').clear('token=x')).toHaveLength(1);
  });
});
