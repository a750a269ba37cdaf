import { hideTokens, productOf } from './hideTokens';

describe('[P106] a path in logs and reports', () => {
  it.each([
    '',
    '/',
    '//x/',
    '/entities/by-name',
    `/${'x/'.repeat(99)}x`,
    // A name that is almost as long as a token.
    `/${'a'.repeat(31)}`,
    `/${'%E3%83%86'.repeat(3)}`,
    // Secrets that are shorter, or of one case, or have no digit, look like names.
    '/reset/ab12-cd34-ef56',
    '/reset/0123456789abcdef0123456789abcde',
    '/reset/aB3aB3aB3aB3aB3',
    '/reset/aBcDeFgHiJkLmNoPqR',
    // Mail addresses and numbers.
    '/users/jane.doe@mail.example.com/4155550123',
    '/eyJ',
    '/ghp_short',
    '/ASIA-PACIFIC-1/AKIA',
  ])('is shown: %s', path => {
    expect(hideTokens(path)).toBe(path);
  });

  it.each([
    [`/a/${'a'.repeat(32)}/b`, '/a/…/b'],
    [`/a/x.${'a-_9'.repeat(8)}.y/b`, '/a/…/b'],
    [`/a/${'ab+c'.repeat(8)}==/b`, '/a/…/b'],
    [`/a/${'%61b%2B'.repeat(16)}/b`, '/a/…/b'],
    ['/eyJhbGciOiJub25lIn0.e30.', '/…'],
    ['/x/token=eyJhbGciOiJub25lIn0.e30./y', '/x/…/y'],
    [`/Bearer%20${'a'.repeat(32)}`, '/…'],
    [`/a/%E3${'a'.repeat(32)}/b`, '/a/…/b'],
    ['/reset/aB3aB3aB3aB3aB3a', '/reset/…'],
    ['/reset/aB3aB3aB3aB3aB3a/aB3aB3aB-B3aB3_3.x/y', '/reset/…/…/y'],
    ['/hook/x.aB3aB3aB3aB3aB3a', '/hook/…'],
    ...['ghp_', 'gho_', 'ghs_', 'ghu_', 'ghr_', 'github_pat_'].map(prefix => [
      `/x/${prefix}abcdefghij`,
      '/x/…',
    ]),
    ['/x/glpat-abcdefghij/y', '/x/…/y'],
    ['/x/xoxb-1234567890', '/x/…'],
    ['/x/xoxp-1234567890', '/x/…'],
    ['/x/AKIAIOSFODNN7EXAMPLE', '/x/…'],
    ['/x/ASIAIOSFODNN7EXAMPLE', '/x/…'],
    // A path that is cut ends before the segment in which it would be.
    [`/${'x/'.repeat(100)}`, `/${'x/'.repeat(99)}…`],
    [`/a/${'b.'.repeat(100)}`, '/a/…'],
    ['x'.repeat(201), '…'],
  ])('hides the end of a long one, and what may be a token: %s', (...row) => {
    const [path, shown] = row;
    expect(hideTokens(path)).toBe(shown);
  });

  it.each([
    ['of 16 characters', 'Zx9-_Qw3Zx9-_Qw3'],
    ['of 32 characters', 'zx9-_qw3'.repeat(4)],
    ['that is escaped', '%5Ax9%2d_Qw3'.repeat(4)],
    ['of a JSON Web Token', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJqYW5lIn0.'],
    ['of GitLab', 'glpat-abcdefghij'],
  ])('has no part of a token %s, wherever the path is cut', (_, token) => {
    for (let before = 0; before < 210; before += 1) {
      const path = `/${'a.'.repeat(105).slice(0, before)}/${token}/after`;
      for (const each of [path, `/${'a'.repeat(before)}${path}`]) {
        expect(hideTokens(each)).not.toContain(token.slice(0, 4));
      }
    }
  });

  it.each(['aA', 'a/', 'aA1-/', 'eyJ', '%', 'ghp_', 'a.'])(
    'has 200 characters at most: %s',
    unit => {
      for (const path of [unit.repeat(8_000), `/${unit.repeat(8_000)}`]) {
        expect(hideTokens(path).length).toBeLessThanOrEqual(200);
      }
    },
  );
});

describe('[P106] the product of a client in logs and reports', () => {
  it.each([
    ['curl/8.5.0', 'curl/8.5.0'],
    ['GitHub-Hookshot/044aadd', 'GitHub-Hookshot/044aadd'],
    ['kube-probe/1.31', 'kube-probe/1.31'],
    ['Mozilla/5.0 (X11; Linux x86_64) jane@example.com', 'Mozilla/5.0'],
    ['Go-http-client/1.1', 'Go-http-client/1.1'],
    [undefined, undefined],
    ['', undefined],
    [' (nothing)', undefined],
    ['\tx', undefined],
    ['name\u00e9/1', 'name'],
    ['<script>alert(1)</script>', '<script>alert(1)</script>'],
    ['a'.repeat(31), 'a'.repeat(31)],
    ['a/b'.repeat(30), 'a/b'.repeat(30).slice(0, 40)],
    // A text that looks like a token is hidden, whole or where it would be cut.
    ['a'.repeat(10_000), '…'],
    [`bot/${'aB3'.repeat(6)}`, 'bot/…'],
    [
      `some-product-of-thirty-letters/${'aB3'.repeat(6)}`,
      'some-product-of-thirty-letters/…',
    ],
    ['eyJhbGciOiJub25lIn0.e30. x', '…'],
    ['ghp_abcdefghij', '…'],
  ])('of %j is %j', (userAgent, product) => {
    expect(productOf(userAgent)).toBe(product);
  });
});
