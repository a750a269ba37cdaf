import { createHash } from 'node:crypto';
import { cloneDeepWith } from 'lodash';
import {
  createDenials,
  createPageReport,
} from '../../__tests__/__testUtils__/pageReport';
import { renderWholePage } from '../../__tests__/__testUtils__/renderWholePage';
import { PAGE_POLICY } from './document';
import type { PolicyReport } from '../reports/describePolicy';

const HOSTILE = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onfocus='alert(1)' autofocus='",
  '</pre></table></style><svg onload=alert(1)>',
  '&lt;b&gt;&#60;i&#62;',
  '<!--',
  ']]>',
];

const render = (
  report: PolicyReport,
  asked: {
    request?: string;
    subject?: string;
    id?: string;
    filter?: string;
    lines?: string[];
    error?: string;
  } = {},
) => {
  const { request = '', subject = '', id = '', filter = '' } = asked;
  const { lines, error } = asked;
  const explained = error === undefined ? lines && { lines } : { error };
  return renderWholePage(report, { request, subject, explained, id, filter });
};

/** Returns the tags of a document, with the names of their attributes. Text has neither `<` nor `>`, since both are escaped there. */
const tagsOf = (page: string) =>
  [...page.matchAll(/<[^>]*>/g)].map(([tag]) => tag.replace(/"[^"]*"/g, '""'));

const idsOf = (page: string) =>
  [...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);

/** Replaces the end of each text that clients, operators and plugins write. Times and constants stay. */
const withText = (report: PolicyReport, text: string): PolicyReport =>
  cloneDeepWith(report, value =>
    typeof value === 'string' &&
    !/^(\d{4}-|enforce|report-only|refused|would-refuse|all replicas|replica|user-cookie|unauthenticated|not yet|session$|user$|public|closed|keep|end$|accessRestrictions)/.test(
      value,
    )
      ? `${value}${text}`
      : undefined,
  );

const reportOnly: PolicyReport['reportOnly'] = {
  enforce: 'not yet',
  because: 'requests still worked',
  days: 7,
  workedLast: '2026-11-28',
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
    deny: createDenials(),
    needsRestart: ['y'],
    filesNewerThanPolicy: ['z'],
    unknown: ['search'],
  }),
  'in report-only': createPageReport({
    enforced: false,
    mode: 'report-only',
    reportOnly,
  }),
};

describe.each(Object.entries(REPORTS))('[P89] a page, %s', (_, report) => {
  it.each(HOSTILE)('shows %s as text, wherever it is', hostile => {
    const asked = (text: string) => ({
      request: text,
      subject: text,
      id: text,
      lines: [text],
    });
    for (const ask of [asked, () => undefined]) {
      const page = render(withText(report, hostile), ask(hostile));
      expect(tagsOf(page)).toEqual(
        tagsOf(render(withText(report, 'x'), ask('x'))),
      );
    }
    for (const one of ['error', 'filter']) {
      expect(tagsOf(render(report, { [one]: hostile }))).toEqual(
        tagsOf(render(report, { [one]: 'no such text' })),
      );
    }
  });

  it('has no script, no style of an element, and addresses within the page only, beside an empty icon', () => {
    const tags = [
      ...render(report, { request: 'x', lines: ['y'] })
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
    expect(
      addresses.filter(address => !/^(href="(\.\/)?|action=")#/.test(address)),
    ).toEqual([]);
  });

  it('has each id once, and the target of each link', () => {
    const page = render(report);
    const ids = idsOf(page);
    expect(ids).toEqual([...new Set(ids)]);
    const targets = [...page.matchAll(/ href="(?:\.\/)?#([^"]*)"/g)].map(
      ([, id]) => id,
    );
    expect(targets.filter(id => !ids.includes(id))).toEqual([]);
  });

  it.each([
    [{ id: 'abc' }, ['refusals']],
    [{ request: 'x', lines: ['y'] }, ['ask']],
    [{ request: 'x', error: 'y', id: 'abc' }, ['refusals', 'ask']],
  ])(
    'answers %j with what was asked for, and links to the rest',
    (asked, answers) => {
      const page = render(report, asked);
      const sections = page.split('<section ').slice(1);
      expect(sections.map(section => idsOf(` ${section}`)[0])).toEqual(answers);
      // Such a link would stay within the answer.
      expect(page).not.toContain(' href="#');
      expect(page).toContain(' href="./#exposure"');
    },
  );
});

it('[P89] replaces characters that change the order of others, or stay invisible', () => {
  const { allow, ...report } = createPageReport();
  const page = render({
    ...report,
    allow: [{ ...allow[0], reason: 'a\u202Eb\u0000c\u2028d\u200Be' }],
  });
  expect(page).toContain('a\uFFFDb\uFFFDc\uFFFDd\uFFFDe');
});

describe('the page', () => {
  it('finds a refusal by its id', () => {
    const report = createPageReport();
    const { id, path } = report.refusals.last[1];
    const found = render(report, { id });
    expect(found.split(path)).toHaveLength(3);
    expect(render(report, { id: 'abc' })).toContain(
      'No refusal with the id abc is among the last 3 of this process',
    );
  });

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
    `default-src 'none'; style-src 'sha256-${hash}'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; sandbox allow-forms allow-top-navigation-by-user-activation`,
  );
});
