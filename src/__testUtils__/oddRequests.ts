import fc from 'fast-check';

/** What routers, proxies and servers read each in their own way. */
const ODD_PIECES = [
  ...['/', '//', '/.', '/..', '/./', '/../', '/..;/', ';', ';x=1', '..'],
  ...['\\', '\\..\\', '%5c', '%2f', '%2F', '%2e', '%2e%2e', '%61', '%3f'],
  ...['%23', '%00', '%', '%zz', '%c0%af', '#', '#x', '?', '?#', '?x=1'],
  ...['^^^^', '^', '"', '|', '{', '<', '`', "'", ' ', '\t', '\x00', '\x01'],
  ...['\x0b', '\x7f', '\x80', '\xa0', '\xff', '*', ':', '@', '!', '$', '&'],
  ...['(', ')', '+', ',', '=', '~', '.', '-', '_', 'A', 'a', 'x', '/x', '/**'],
];

const ODD_BEGINNINGS = [
  ...['http://any', 'HTTP://any:80', 'foo://any', 'http:', '//any', '/', '/.'],
  ...['/..', '/x/..', '/%2e%2e', '\\', '.', 'x', '*', '@any', 'any:80', '/;'],
  ...['http://[::1]', 'http://u:p@any', 'http:///', '/api', '/API', '?', '#'],
];

type Edit = (text: string) => string;

const anyEdit: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 4, arbitrary: insertion(fc.constantFrom(...ODD_PIECES)) },
  {
    weight: 1,
    arbitrary: insertion(
      fc.string({
        unit: fc.nat(255).map(code => String.fromCharCode(code)),
        minLength: 1,
        maxLength: 2,
      }),
    ),
  },
  edit(
    fc.record({ at: fc.nat(80), count: fc.integer({ min: 1, max: 3 }) }),
    ({ at, count }, text) =>
      text.slice(0, at % text.length) + text.slice((at % text.length) + count),
  ),
  edit(fc.nat(80), (at, text) =>
    [...text]
      .map((character, i) =>
        i === at % text.length ? otherCase(character) : character,
      )
      .join(''),
  ),
  edit(fc.constantFrom(...ODD_BEGINNINGS), (start, text) => start + text),
);

/** A target with at most three odd changes; often none. */
export function targetsNear(
  targets: fc.Arbitrary<string>,
): fc.Arbitrary<string> {
  const edits = fc.oneof(
    fc.constant<Edit[]>([]),
    fc.array(anyEdit, { minLength: 1, maxLength: 3 }),
  );
  return fc.tuple(targets, edits).map(([target, changes]) =>
    // An edit may leave nothing, and there is no target of no characters.
    changes.reduce((text, change) => change(text) || '/', target),
  );
}

function insertion(pieces: fc.Arbitrary<string>): fc.Arbitrary<Edit> {
  return edit(
    fc.record({ piece: pieces, at: fc.nat(80) }),
    ({ piece, at }, text) => {
      const index = at % (text.length + 1);
      return text.slice(0, index) + piece + text.slice(index);
    },
  );
}

function edit<T>(
  values: fc.Arbitrary<T>,
  change: (value: T, text: string) => string,
): fc.Arbitrary<Edit> {
  return values.map(value => (text: string) => change(value, text));
}

function otherCase(character: string): string {
  const upper = character.toUpperCase();
  return character === upper ? character.toLowerCase() : upper;
}
