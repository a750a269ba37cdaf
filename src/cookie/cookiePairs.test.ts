import { readCookies } from './cookiePairs';

describe('readCookies', () => {
  const read = (header?: string) => {
    const cookies = readCookies(header, name => name === 'token');
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
    ['token=1', { token: '1' }],
    ['a=1;token=1', { token: '1' }],
    ['  token \t=\t 1  ; a', { token: '1' }],
    ['token="1"', { token: '1' }],
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
