import { groupBySize, jsonBytes, MAX_LINE_BYTES, shorten } from './lineSize';

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
