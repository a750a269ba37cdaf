import { createHash } from 'node:crypto';
import { cloneDeepWith } from 'lodash';
import { createPageReport } from '../../__tests__/__testUtils__/pageReport';
import { PAGE_POLICY } from './document';
import { renderPage } from './renderPage';
import type { PolicyReport } from '../reports/createPolicyReport';

const HOSTILE = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onfocus='alert(1)' autofocus='",
  '</pre></table></style><svg onload=alert(1)>',
  '&lt;b&gt;&#60;i&#62;',
  '<!--',
  ']]>',
];

const render = (report: PolicyReport) => `${renderPage(report)}`;

/** Returns the tags of a document, with the names of their attributes. Text has neither `<` nor `>`, since both are escaped there. */
const tagsOf = (page: string) =>
  [...page.matchAll(/<[^>]*>/g)].map(([tag]) => tag.replace(/"[^"]*"/g, '""'));

const idsOf = (page: string) =>
  [...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);

/** Replaces the end of each text that clients, operators and plugins write. Times and constants stay. */
const withText = (report: PolicyReport, text: string): PolicyReport =>
  cloneDeepWith(report, value =>
    typeof value === 'string' &&
    !/^(\d{4}-|enforce|report-only|refused|would-refuse|user-cookie|unauthenticated|worked|session$|user$|public|closed|keep|end$|\*)/.test(
      value,
    )
      ? `${value}${text}`
      : undefined,
  );

const reportOnly: PolicyReport['reportOnly'] = {
  since: '2026-11-20T00:00:00.000Z',
  worked: [
    {
      plugin: 'events',
      method: 'POST',
      path: '/http/gitlab',
      status: 202,
      requests: 81,
      firstSeen: '2026-11-21',
      lastSeen: '2026-11-28',
      yaml: '# - { plugin: events }',
    },
    {
      plugin: 'proxy',
      method: 'GET',
      requests: 3,
      firstSeen: '2026-11-28',
      lastSeen: '2026-11-28',
      why: 'no rule is proposed for proxy',
    },
  ],
};

const REPORTS = {
  enforcing: createPageReport({
    problem: 'x',
    needsRestart: ['y'],
    filesNewerThanPolicy: ['z'],
  }),
  'in report-only': createPageReport({
    enforced: false,
    mode: 'report-only',
    reportOnly,
  }),
};

describe.each(Object.entries(REPORTS))('[P89] a page, %s', (_, report) => {
  it.each(HOSTILE)('shows %s as text, wherever it is', hostile => {
    expect(tagsOf(render(withText(report, hostile)))).toEqual(
      tagsOf(render(withText(report, 'x'))),
    );
  });

  it('has no script, no style of an element, and addresses within the page only, beside an empty icon', () => {
    const tags = [
      ...render(report)
        .replace('<link rel="icon" href="data:," />', '')
        .matchAll(/<[^>]*>/g),
    ].map(([tag]) => tag);
    expect(
      tags.filter(tag =>
        /<script|\bstyle=|\bon\w+=|<link|<img|<iframe|<base/i.test(tag),
      ),
    ).toEqual([]);
    const addresses = tags.flatMap(
      tag => tag.match(/\b(?:href|src|action)="[^"]*"/g) ?? [],
    );
    expect(addresses.filter(address => !/^href="#/.test(address))).toEqual([]);
  });

  it('has each id once, and the target of each link', () => {
    const page = render(report);
    const ids = idsOf(page);
    expect(ids).toEqual([...new Set(ids)]);
    const targets = [...page.matchAll(/ href="#([^"]*)"/g)].map(([, id]) => id);
    expect(targets.filter(id => !ids.includes(id))).toEqual([]);
  });
});

it('[P89] replaces characters that change the order of others, or stay invisible', () => {
  const page = render(
    createPageReport({
      facts: [
        { kind: 'public', what: 'x', note: 'a\u202Eb\u0000c\u2028d\u200Be' },
      ],
    }),
  );
  expect(page).toContain('a\uFFFDb\uFFFDc\uFFFDd\uFFFDe');
});

describe('the page', () => {
  it('names no plugin that is not installed', () => {
    const { refusals, ...report } = createPageReport();
    const [refusal] = refusals.last;
    const last = [{ ...refusal, plugin: 'not installed', path: '/.env' }];
    const page = render({ ...report, refusals: { ...refusals, last } });
    expect(page).toContain('<code>GET /api/…/.env</code> (not installed)');
  });
});

it('[P95] has a policy that allows its own style, runs no script, and is framed by nobody', () => {
  const [, style] = render(createPageReport()).match(/<style>(.*?)<\/style>/s)!;
  const hash = createHash('sha256').update(style).digest('base64');
  expect(PAGE_POLICY).toBe(
    `default-src 'none'; style-src 'sha256-${hash}'; img-src data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'; sandbox`,
  );
});
