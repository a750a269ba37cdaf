import {
  createCookieNames,
  readCookieNames,
  readCookies,
  readCookieValues,
  withoutCookies,
} from './cookieHeader';

const NAMES = createCookieNames(['token']);

describe('readCookies', () => {
  const read = (header?: string) => {
    const cookies = readCookies(header, NAMES);
    return cookies && Object.fromEntries(cookies);
  };

  it.each<[string | undefined, Record<string, string> | undefined]>([
    [undefined, {}],
    ['', {}],
    ['a=1; b=2', {}],
    ['xtoken=1; tokenx=2; TOKEN=3', {}],
    ['token', {}],
    ['token=', {}],
    ['=token', {}],
    ['token;a=1', {}],
    ['token=1', { token: '1' }],
    ['token="', {}],
    ['token=""', {}],
    ['token="";token=1', { token: '1' }],
    ['token =1;;; token\t=1', { token: '1' }],
    ['a=token=2; token=1', { token: '1' }],
    ['a token=2; token=1', { token: '1' }],
    ['tokentoken=2;token=1', { token: '1' }],
    ['token=1', { token: '1' }],
    ['a=1;token=1', { token: '1' }],
    ['  token \t=\t 1  ; a', { token: '1' }],
    ['token="1"', { token: '1' }],
    // The space of ISO 8859-1 is a part of the value to Backstage, which reads its own cookie.
    ['token=1\u00a0', { token: '1\u00a0' }],
    ['token=\u00a01', { token: '\u00a01' }],
    ['token=1; token=1\u00a0', undefined],
    // Other parsers remove it from the name.
    ['token\t\u00a0=1', { token: '1' }],
    ['token=1; token \u00a0=2', undefined],
    ['token=1=2', { token: '1=2' }],
    ['token=%31', { token: '1' }],
    ['token=%e', { token: '%e' }],
    ['token=1; token=1', { token: '1' }],
    ['token=1; token=%31; token="1"', { token: '1' }],
    ['token=; token=1; token=', { token: '1' }],
    ['token=1; token=2', undefined],
    ['token=1; token=%32', undefined],
    ['token=2; a=1; token=1; token=2', undefined],
  ])('%j', (header, expected) => {
    expect(read(header)).toEqual(expected);
  });

  it('decodes no more than it needs, since each wrong escape is slow', () => {
    const decode = jest.spyOn(globalThis, 'decodeURIComponent');
    try {
      expect(read('token=%e;'.repeat(1_700))).toEqual({ token: '%e' });
      expect(read('token=%e;token=%f;'.repeat(850))).toBeUndefined();
      expect(read('a=%e;'.repeat(3_000))).toEqual({});
      expect(decode.mock.calls).toEqual([['%e'], ['%e'], ['%f']]);
    } finally {
      decode.mockRestore();
    }
  });
});

describe('readCookieValues', () => {
  const names = createCookieNames(['token', 'token.1']);

  it.each<[string | undefined, string[]]>([
    [undefined, []],
    ['token=; token.1=2', []],
    ['token=1; token.1=2', ['1']],
    ['token=1; token=2; token=1; token="2"; token=%31', ['1', '2']],
  ])('%j', (header, expected) => {
    expect(readCookieValues(header, names, 'token')).toEqual(expected);
  });
});

describe('readCookieNames', () => {
  it.each<[string | undefined, string[]]>([
    [undefined, []],
    ['', []],
    ['a=1; tokens=1; token', []],
    ['token.x=1; token x', []],
    ['token=', ['token']],
    ['a=1;\ttoken =1; token=2', ['token', 'token']],
  ])('%j', (header, expected) => {
    expect(readCookieNames(header, NAMES)).toEqual(expected);
  });
});

it('treats the characters of a regular expression in a name as text', () => {
  const names = createCookieNames(['a.*$|^+', 'a.*$|^+.0']);
  expect(readCookieNames('a.*$|^+=1; axx=2;a.*$|^+.0=3', names)).toEqual([
    'a.*$|^+',
    'a.*$|^+.0',
  ]);
});

describe('withoutCookies', () => {
  it.each<[string | undefined, string | undefined]>([
    [undefined, undefined],
    ['', ''],
    ['  a=1;', '  a=1;'],
    ['token', 'token'],
    ['token=1', undefined],
    ['token=1;', undefined],
    [' token=1 ; \t', undefined],
    ['token=1;token=2;token=3', undefined],
    ['token=1; a=1', 'a=1'],
    ['a=1; token=1', 'a=1'],
    ['a=1; token=1;', 'a=1;'],
    ['a=1;token=1;b="2;token=3"', 'a=1;b="2'],
    ['a=1; \ttoken=1 ;  b=%20', 'a=1;  b=%20'],
    ['\u00a0token=1; token=2', '\u00a0token=1'],
    ['token \u00a0=1; a=1', 'a=1'],
  ])('%j is %j', (header, expected) => {
    expect(withoutCookies(header, NAMES)).toBe(expected);
  });
});

describe('a header of 15 KB', () => {
  // Quadratic work would take much longer: 15,000 × 15,000 steps.
  it.each([
    'a=1; ',
    'token;',
    'token=1;',
    'token',
    ' token',
    'token=%31;token=1;',
    'token=%e;',
    ' ',
    '=',
    '\t;',
  ])('of %j takes linear time', text => {
    const header = `token= ${text.repeat(15_000 / text.length)} x;${text.repeat(15_000 / text.length)}`;
    const startedAt = performance.now();
    for (let i = 0; i < 20; i += 1) {
      readCookies(header, NAMES);
      readCookieNames(header, NAMES);
      withoutCookies(header, NAMES);
    }
    expect((performance.now() - startedAt) / 20).toBeLessThan(100);
  });
});
