import fc from 'fast-check';
import { runnerCommandsIn } from '../__tests__/__testUtils__/runnerCommandsIn';
import {
  groupBySize,
  isPrintable,
  jsonBytes,
  MAX_LINE_BYTES,
  printable,
  shorten,
} from './logLine';

describe('shorten', () => {
  it.each(['', 'short', 'x'.repeat(98)])('returns %j as it is', text => {
    expect(shorten(text, 100)).toBe(text);
  });

  it.each([
    ['letters', 'x', 80],
    ['quotes', '"', 40],
    ['control characters', '\u0000', 13],
    ['letters of two bytes', 'ü', 40],
    ['pairs', '😀', 20],
  ])('bounds the bytes of %s', (_, character, atLeast) => {
    const short = shorten(character.repeat(16_000), 100);
    expect(short).toMatch(/…$/);
    expect(short.length).toBeGreaterThan(atLeast);
    expect(jsonBytes(short)).toBeLessThanOrEqual(103);
  });
});

describe('groupBySize', () => {
  it('fills each group, and keeps the order', () => {
    const sizes = [3_000, 4_000, 1, 9_000, 5_000, 2_000];
    expect(groupBySize(sizes, size => size)).toEqual([
      [3_000, 4_000],
      [1],
      [9_000],
      [5_000, 2_000],
    ]);
    expect(MAX_LINE_BYTES).toBe(7_000);
  });

  it('has one empty group for nothing', () => {
    expect(groupBySize([], () => 1)).toEqual([[]]);
  });
});

it.each([
  ['Grüße 😀', true],
  ['two\nlines', false],
  ['hid\u200bden', false],
])('finds whether %j is printable: %j', (text, is) =>
  expect(isPrintable(text)).toBe(is),
);

describe('printable', () => {
  it.each([
    ['a\r\nb\u0085c\u2028d\u001b[2Je', 'a b c d [2Je'],
    ['::error::x', ': :error::x'],
    [' \t::error::x', '  : :error::x'],
    ['\u00a0::error::x', '\u00a0: :error::x'],
    [':::error::x', ': ::error::x'],
    [':\u0000:error::x', ': :error::x'],
    ['a ##[error]x', 'a # #[error]x'],
    ['###[error]x', '## #[error]x'],
    ['#\u200b#[error]x', '# #[error]x'],
    [
      '##vso[task.complete result=Failed;]',
      '# #vso[task.complete result=Failed;]',
    ],
    ['a ::b:: ## c #[d]', 'a ::b:: ## c #[d]'],
  ])('%j is %j', (text, printed) => {
    expect(printable(text)).toBe(printed);
    expect(printable(printed)).toBe(printed);
  });

  it('leaves no command to the runner of GitHub', () => {
    const part = fc.constantFrom(
      ...[':', '::', '#', '##', '[', '##[', ']', 'error', 'add-mask', ' '],
      ...['\t', '\r', '\n', '\u0085', '\u00a0', '\u2028', '\u0000', '\u200b'],
    );
    const text = fc.array(part, { maxLength: 12 }).map(all => all.join(''));
    fc.assert(
      fc.property(text, line => {
        expect(runnerCommandsIn(printable(line))).toEqual([]);
      }),
      { numRuns: 5000 },
    );
  });
});

describe('runnerCommandsIn', () => {
  it.each<[string, string[]]>([
    ['::error::x', ['error']],
    ['  ::ERROR file=a::x', ['ERROR']],
    ['a ::error::x', []],
    ['::errors::x', []],
    ['::error', []],
    ['a ##[add-mask]x', ['add-mask']],
    ['::errors:: ##[error]x', ['error']],
    ['a\r::error::x', ['error']],
    [
      '::stop-commands::T\n::error::x\n##[error]x\n::t::\n::debug::x',
      ['stop-commands', 'debug'],
    ],
  ])('finds in %j the commands %j', (output, names) => {
    expect(runnerCommandsIn(output).map(({ name }) => name)).toEqual(names);
  });
});

it('an item that is larger than a line has a group of its own, and none is empty', () => {
  const items = [MAX_LINE_BYTES + 1, 1, MAX_LINE_BYTES];
  expect(groupBySize(items, bytes => bytes)).toEqual(items.map(item => [item]));
});
