import { createPolicy } from '../../__tests__/__testUtils__/createPolicy';
import { jsonBytes, MAX_LINE_BYTES } from '../../settings/logLine';
import { formatStart, pageAddressOf, splitBlock } from './startLog';

describe('formatStart', () => {
  const facts = [
    { kind: 'power', what: 'permissions', who: 'permission.enabled' },
    { kind: 'public', what: 'GET   /api/hello/health', note: 'It is asked' },
  ];

  it.each([
    [{}, 'enforce'],
    [{ mode: 'report-only' }, 'report-only, only ended sessions are refused'],
    [
      { mode: 'report-only', until: new Date('2099-01-01') },
      'report-only until 2099-01-01T00:00:00.000Z, only ended sessions are refused',
    ],
  ] as const)(
    'says the mode of %j, then each fact, and the page last',
    (settings, mode) => {
      const policy = createPolicy(settings);
      const page = pageAddressOf('https://a.example/b/');
      expect(page).toBe(pageAddressOf('https://a.example/b'));
      expect(formatStart(policy, facts, page).split('\n')).toEqual([
        `API gate: ${mode}`,
        '  public          GET   /api/hello/health  It is asked',
        '  power           permissions  permission.enabled',
        '  As a page, for operators: https://a.example/b/api/auth/api-gate/',
      ]);
      expect(formatStart(policy, [])).toBe(`API gate: ${mode}`);
    },
  );
});

describe('[P56] splitBlock', () => {
  it('returns a short block as it is', () => {
    const text = 'Title\n  a:\n    b\n  c';
    expect(splitBlock(text)).toEqual([text]);
    expect(splitBlock('Title')).toEqual(['Title']);
  });

  it('keeps each line of a long block, and repeats the headings of those that begin a part', () => {
    const rules = Array.from(
      { length: 1_000 },
      (_, i) => `      "rule" ${i} ü`,
    );
    const parts = splitBlock(
      ['Title', '  a', '  b:', '    c:', ...rules, '  d:', '    e'].join('\n'),
    );
    expect(parts.length).toBeGreaterThan(1);
    parts.forEach((part, i) => {
      expect(jsonBytes(part)).toBeLessThan(7_200);
      const [title, ...lines] = part.split('\n');
      expect(title).toBe(`Title, part ${i + 1} of ${parts.length}`);
      expect(lines.slice(0, 3)).toEqual(
        i === 0 ? ['  a', '  b:', '    c:'] : ['  b:', '    c:', lines[2]],
      );
    });
    const lines = parts.join('\n').split('\n');
    expect(lines.filter(line => rules.includes(line))).toEqual(rules);
    expect(lines.slice(-2)).toEqual(['  d:', '    e']);
  });

  it('fills a line of the log to its last byte', () => {
    const line = 'x'.repeat(MAX_LINE_BYTES / 7 - 2);
    const text = ['Title', ...Array(7).fill(line)].join('\n');
    expect(splitBlock(text)).toEqual([text]);
  });

  it('shortens a line that is too long, visibly', () => {
    const [part] = splitBlock(`Title\n  ${'x'.repeat(10_000)}\n  b`);
    expect(part).toMatch(/^Title\n {2}x{1500,2000}…\n {2}b$/);
  });

  it('stays below the limit with long headings', () => {
    const long = (indent: string) => `${indent}${'"'.repeat(10_000)}`;
    const text = [
      'Title',
      ...Array(9)
        .fill([long(''), long(' ')])
        .flat(),
    ];
    for (const part of splitBlock(text.join('\n'))) {
      expect(jsonBytes(part)).toBeLessThan(7_500);
    }
  });
});
