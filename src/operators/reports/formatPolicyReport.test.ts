import { jsonBytes, MAX_LINE_BYTES } from '../../settings/logLine';
import type { PolicyReport } from './describePolicy';
import {
  formatPolicyReport,
  pageAddressOf,
  splitBlock,
} from './formatPolicyReport';

describe('formatPolicyReport', () => {
  const health = { plugin: 'hello', path: '/health', methods: ['GET'] };
  const until = '2026-12-01T00:00:00.000Z';
  const declared = {
    ...{ plugin: 'hello', paths: ['/ping', '/ping/**'] },
    isWebSocket: false,
  };
  const report = {
    enforced: true,
    allow: [],
    builtIn: [],
    tokens: undefined,
    lists: [],
    closed: [],
    unknown: [],
    opensBeyondPlugins: [health],
  } as Partial<PolicyReport> as PolicyReport;

  it('names what is there, and no heading of what is not', () => {
    expect(formatPolicyReport(report)).toBe(
      'API gate: enforce\n  No allow rules.',
    );
  });

  it('has a section for each part of a report', () => {
    const text = formatPolicyReport({
      ...report,
      allow: [
        { ...health, installed: true, reason: 'The load balancer asks' },
        { ...health, installed: true, until },
        { ...health, installed: false, until, ended: true },
      ],
      tokens: [
        { subject: 'ci', only: [health, health], reason: 'It deploys' },
        { subject: 'old', until },
      ] as PolicyReport['tokens'],
      builtIn: [{ ...health, reason: 'sign-in' }],
      lists: [
        {
          path: 'auth.apiGate.allow',
          file: 'app-config.yaml',
          entries: 3,
          replaces: [],
        },
      ],
      closed: [
        { ...declared, allow: 'unauthenticated' },
        { ...declared, allow: 'user-cookie' },
        {
          ...{ plugin: 'hello', paths: ['/live'], isWebSocket: true },
          allow: 'unauthenticated',
        },
        { ...declared, paths: ['/*', '/*/**'], allow: 'unauthenticated' },
      ],
      unknown: ['own'],
    });
    expect(text).toMatchInlineSnapshot(`
     "API gate: enforce
       Public by rule:
         GET /api/hello/health  (The load balancer asks)
         GET /api/hello/health  (until 2026-12-01T00:00:00.000Z)
         GET /api/hello/health  (ended, and closed since 2026-12-01T00:00:00.000Z)  (not installed in this backend: a misspelling, or a plugin of another one)
       Limits of external tokens:
         ci: GET /api/hello/health; GET /api/hello/health  (It deploys)
         old: what accessRestrictions allow  (until 2026-12-01T00:00:00.000Z)
         any other: nothing
       Public without a rule:
         GET /api/hello/health  (sign-in)
       Lists, by file:
         auth.apiGate.allow: 3 of app-config.yaml
       Declared open by plugins, and closed by the gate, except for what your rules name:
         hello /ping and /ping/**, any method, to everybody
         hello /ping and /ping/**, any method, to Backstage's own cookie, which still opens it
         hello /live, WEBSOCKET, to everybody
         hello /* and /*/** (no rule can be written so), any method, to everybody
       Not known what these open themselves:
         own"
    `);
  });

  it.each(['https://a.example/b/', 'https://a.example/b'])(
    'ends with the address of the page, below %s',
    baseUrl => {
      expect(formatPolicyReport(report, pageAddressOf(baseUrl))).toBe(
        'API gate: enforce\n  No allow rules.\n  As a page, for operators: https://a.example/b/api/auth/api-gate/',
      );
    },
  );

  it.each([
    [undefined, 'API gate: report-only, only ended sessions are refused'],
    [
      until,
      `API gate: report-only until ${until}, only ended sessions are refused`,
    ],
  ])('names what enforcing would change (until: %s)', (end, title) => {
    const yaml = '# - { plugin: hello, path: /a }';
    const worked = {
      plugin: 'hello',
      method: 'GET',
      requests: 1,
      firstSeen: '2026-11-01T08:00:00.000Z',
      lastSeen: '2026-11-01T09:00:00.000Z',
    };
    const reportOnly = {
      since: '2026-10-01T00:00:00.000Z',
      worked: [worked, { ...worked, path: '/a', yaml }],
    };
    const lines = [
      title,
      '  No allow rules.',
      '  Newly public once it is enforced:',
      '    GET /api/hello/health',
      '  Declared open by plugins, and closed once you enforce, except for what your rules name:',
      '    hello /ping and /ping/**, any method, to everybody',
      `  Worked at this replica since 2026-10-01T00:00:00.000Z, and will be refused ${end ? `from ${end} on` : 'once you enforce'}; to keep a request public, paste its rule and remove the first #:`,
      '    GET /api/hello/…: 1 request on 2026-11-01',
      `    ${yaml}`,
    ];
    const inReportOnly: PolicyReport = {
      ...report,
      enforced: false,
      until: end,
      closed: [{ ...declared, allow: 'unauthenticated' }],
      reportOnly,
    };
    expect(formatPolicyReport(inReportOnly).split('\n')).toEqual(lines);
    const note = 'no rules are proposed';
    expect(
      formatPolicyReport({
        ...inReportOnly,
        reportOnly: { ...reportOnly, note },
      }),
    ).toContain(`; ${note}:`);
  });
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
