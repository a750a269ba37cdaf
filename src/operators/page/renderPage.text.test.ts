import { mapValues } from 'lodash';
import {
  createEmptyReport,
  createOddReport,
  createPageReport,
} from '../../__tests__/__testUtils__/pageReport';
import type { PolicyReport } from '../reports/describePolicy';
import { renderPage } from './renderPage';

beforeEach(() => {
  jest.spyOn(Date, 'now').mockReturnValue(Date.parse('2026-11-28T10:42:30Z'));
});
afterEach(() => jest.restoreAllMocks());

/** Returns a function that reads the texts of a page from a place on, with `|` in place of tags. */
function textsOf(report: PolicyReport) {
  const page = `${renderPage(report)}`;
  return (from: string, to = '</section>') => {
    const [, part] = page.split(from);
    return part
      .split(to)[0]
      .replace(/\s+/g, ' ')
      .replace(/ ?(<[^>]*>\s*)+/g, '|');
  };
}

const sectionOf = (texts: ReturnType<typeof textsOf>, id: string) =>
  texts(`<section id="${id}" aria-labelledby="${id}-title">`);

const OUTSIDE =
  'Outside of /api, where the gate is not|Health checks: /.backstage/health/v1/readiness and …/liveness|The frontend, which the plugin app serves at /|What a plugin adds to the root router itself, such as /.well-known/… of mcp-actions|All else needs a credential. Plugins of this backend: ';
const WITHOUT_RULE =
  'Public without a rule|GET /api/app/** (the frontend, except /.backstage/auth/v1/cookie)|GET,POST,PUT,PATCH,DELETE /api/auth/** (sign-in, except /api-gate and /.backstage/auth/v1/cookie)|GET /api/*/.backstage/auth/v1/jwks.json (keys that verify tokens)|DELETE /api/*/.backstage/auth/v1/cookie (sign-out)';
const ENDS_SOON =
  'opens nothing from 2026-12-31T00:00:00.000Z|write a later until if the path has to stay public';

it.each<[string, () => PolicyReport, Record<string, string>]>([
  [
    'a usual report',
    createPageReport,
    {
      head: 'API gate|Enforcing|Each request that no rule opens needs a credential.|Policy|3f2a9c51e0b7|, in force since|2026-11-27 08:15:02 UTC|Replica|backstage-7f9c4-x2x9p, process 1, since|2026-11-27 08:15 UTC|Versions|gate 0.1.0, backend-defaults 0.19.1, Node 24.11.0|Sign-outs|17 sessions ended',
      findings: `1 thing to do|Finding|At|Why|Write|rule-ends-soon|auth.apiGate.allow[2] (GET /api/permission/health)|${ENDS_SOON}`,
      exposure: `What is open|Public by rule|Reason|Requests|Last use|Limits|POST /api/events/http/github|auth.apiGate.allow[0]|GitHub signs these|1,098|2026-11-28 10:00 UTC|GET /api/badges/entity/*/*/*/badge/*|auth.apiGate.allow[1]|badges in READMEs|62,802|2026-11-28 10:00 UTC|GET /api/permission/health|auth.apiGate.allow[2]|0|none|until 2026-12-31T00:00:00.000Z|Use is that of this process, since|2026-11-27 08:15 UTC|.|${WITHOUT_RULE}|Declared open by plugins, and closed by the gate, except for what your rules name|proxy /status and /status/**, any method, to everybody|techdocs /static and /static/**, any method, to Backstage&#39;s own cookie, which still opens it|${OUTSIDE}app, auth, badges, catalog, events, permission, proxy, scaffolder, search, techdocs`,
      tokens:
        'External tokens|Subject|Requests|Last use|May|ci-deploy|412|2026-11-28 10:00 UTC|POST /api/catalog/refresh (Jenkins) (until 2027-01-31T00:00:00.000Z)|mcp-readonly|0|none|nothing',
      refusals:
        'Refusals|Since|2026-11-27 08:15 UTC|, by this process|Request|Reason|Refusals|Last|Last id|GET /api/proxy/status/api/v2/components|missing-credentials|1,080|2026-11-28 10:39:30 UTC|1b77c0de55aa9e21|GET /api/catalog/entities/by-name/component/default/web|invalid-token, expired|16|2026-11-28 10:40:30 UTC|9f3c2a7be1d04c55|The last 3 refusals|Time|Id|Request|Reason|Client|2026-11-28 10:40:30 UTC|9f3c2a7be1d04c55|GET /api/catalog/entities/by-name/component/default/web|invalid-token, expired|curl/8.5.0|2026-11-28 10:39:30 UTC|1b77c0de55aa9e21|GET /api/proxy/status/api/v2/components|missing-credentials|2026-11-28 10:23:30 UTC|77aa0de15c1b9e20|POST /api/scaffolder/v2/tasks|restricted, only|external:ci-deploy',
      power:
        'Who has power|Operators: group:default/platform|Origins whose pages may use the cookie: https://backstage.example.com|Paths whose pages act as the user: none|Header for a Backstage token: none|Paths where Authorization is another server&#39;s: /api/proxy/argocd/**|Plugins of which no rule may open anything: scaffolder|Cookie: __Host-token, SameSite=lax, Secure, this host, for 900s|A sign-out ends: this session, also by the logout of github',
    },
  ],
  [
    'an odd report',
    createOddReport,
    {
      head: 'API gate|Report-only|Only ended sessions are refused until|2026-12-31 00:00 UTC|: see|what works until then|.|The configuration has changed and is not in force: x|A restart is needed for a, b.|The backend has not read the last change of f, g.|Policy|3f2a9c51e0b7|, in force since|2026-11-27 08:15:02 UTC|Replica|backstage-7f9c4-x2x9p, process 1, since|2026-11-27 08:15 UTC|Versions|gate 0.1.0, Node 24.11.0|Sign-outs|17 sessions ended',
      findings: `2 things to do|Finding|At|Why|Write|rule-ends-soon|accepted: r|auth.apiGate.allow[10]|${ENDS_SOON}|rule-ends-soon|auth.apiGate.allow[1].path|${ENDS_SOON}|rule-ends-soon|x auth.apiGate.allow[1]|${ENDS_SOON}`,
      exposure: `What is open|Public by rule|Reason|Requests|Last use|Limits|POST /api/events/http/github|auth.apiGate.allow[0]|GitHub signs these|1,234|2026-11-28 10:00 UTC|GET /api/badges/entity/*/*/*/badge/*|auth.apiGate.allow[1]|1,234|2026-11-28 10:00 UTC|not installed in this backend: a misspelling, or a plugin of another one|GET /api/badges/c|auth.apiGate.allow[2]|badges in READMEs|1,234|none|ended, and closed since 2026-11-01T00:00:00.000Z|Use is that of this process, since|2026-11-27 08:15 UTC|.|${WITHOUT_RULE}|Lists, by file|p: 1 of f|q: 1 of f, in place of 2 of g and 2 of h: Backstage does not merge lists|Newly public once it is enforced|GET /api/badges/c|Declared open by plugins, and closed once you enforce, except for what your rules name|badges /d, WEBSOCKET, to everybody|badges /d, any method, to everybody|events /e/**, any method, to Backstage&#39;s own cookie, which still opens it|Not known what these open themselves|search|${OUTSIDE}search, badges, catalog`,
      tokens:
        'External tokens|What a token may do is not in force in report-only.|Subject|Requests|Last use|May|ci-deploy|412|2026-11-28 10:00 UTC|what accessRestrictions allow (Jenkins) (ended at 2027-01-31T00:00:00.000Z)|GET /api/a/x; GET,POST /api/b/y|f|0|none|nothing',
      refusals:
        'Refusals|Worked at this replica since 2026-11-01T07:00:00.000Z, and will be refused from 2026-12-31T00:00:00.000Z on; z|# - r|GET /api/catalog/…: 1 request on 2026-11-01; auth.apiGate.closed has its plugin|GET not installed: 1 request from 2026-11-01 to 2026-11-02; no rule|Since|2026-11-27 08:15 UTC|, by this process|Request|Reason|Refusals|Answer|Last|Last id|GET /api/…/…|(not installed)|others|not yet refused|2|worked (200)|2026-11-02 08:00 UTC|f|The last 1 refusal|Time|Id|Request|Reason|Client|2026-11-28 10:40:30 UTC|9f3c2a7be1d04c55|GET /api/catalog/entities/by-name/component/default/web|invalid-token, expired|not yet refused|curl/8.5.0',
      power:
        'Who has power|Operators: none|Origins whose pages may use the cookie: https://backstage.example.com|Paths whose pages act as the user: /api/techdocs/static/**|Header for a Backstage token: x-token|Paths where Authorization is another server&#39;s: none|Plugins of which no rule may open anything: search, catalog|Cookie: none|A sign-out ends: every token of the user',
    },
  ],
  [
    'an empty report',
    createEmptyReport,
    {
      exposure: `What is open|No rule opens anything.|Use is that of this process, since|2026-11-28 10:00 UTC|.|${OUTSIDE}auth`,
      findings:
        'No things to do|No setting makes the gate pointless, and no rule is dangerous.',
      tokens:
        'External tokens|No external token is configured, and none was seen.',
      refusals: 'Refusals|Since|2026-11-28 10:00 UTC|, by this process|None.',
    },
  ],
])('shows each part of %s', (_, create, expected) => {
  const texts = textsOf(create());
  const shown = Object.keys(expected).map(id => [
    id,
    id === 'head' ? texts('<header>', '</header>') : sectionOf(texts, id),
  ]);
  expect(Object.fromEntries(shown)).toEqual(
    mapValues(expected, text => `|${text}|`),
  );
});

it('marks what is good, closed, or needs a look', () => {
  const marksOf = (report: PolicyReport) =>
    [
      ...`${renderPage(report)}`.matchAll(
        /class="(?:mode|tag|note) (\w+)"[^>]*>\s*(.*?)</gs,
      ),
    ].map(([, kind, text]) => `${kind}: ${text}`);
  const head = [
    'warned: Report-only',
    'open: The configuration has changed and is not in force: x',
    'warned: A restart is needed for a, b.',
    'warned: The backend has not read the last change of f, g.',
  ];
  expect(marksOf(createOddReport())).toEqual([
    ...head,
    'closed: accepted: r',
    'warned: not installed in this backend: a misspelling, or a plugin of another one',
    'warned: ended, and closed since 2026-11-01T00:00:00.000Z',
    'warned: What a token may do is not in force in report-only.',
    'warned: not yet refused',
    'warned: not yet refused',
  ]);
  expect(marksOf(createPageReport())).toEqual(['good: Enforcing']);
});

it('has a title, links to its sections, and words where a list is empty', () => {
  const { refusals } = createPageReport();
  const [refused] = refusals.last;
  const page = `${renderPage(
    createPageReport({
      reportOnly: {
        since: '2026-11-01T07:00:00.000Z',
        worked: [],
      },
      refusals: {
        ...refusals,
        last: [{ ...refused, subject: 'user:default/a', address: '::1' }],
      },
    }),
  )}`;
  expect(page).toContain('<title>API gate</title>');
  const [, nav] = page.split('<nav aria-label="Sections">');
  expect(nav.split('</nav>')[0].match(/"#\w+">[^<]+/g)).toEqual([
    ...['"#findings">1 thing to do', '"#exposure">What is open'],
    ...['"#tokens">External tokens', '"#refusals">Refusals'],
    '"#power">Who has power',
  ]);
  expect(page).toContain('<p>No request.</p>');
  expect(page).toContain('>user:default/a, ::1, curl/8.5.0</td>');
});

it('shows the limits of a token that nobody has seen', () => {
  const { used } = createPageReport();
  const texts = textsOf(
    createPageReport({
      used: { ...used, externalTokens: [] },
      tokens: [{ subject: 'unused', only: 'all', reason: 'Jenkins' }],
    }),
  );
  expect(sectionOf(texts, 'tokens')).toBe(
    '|External tokens|Subject|May|unused|what accessRestrictions allow (Jenkins)|',
  );
});

it('shows the entry of a token and its default, the default alone of one without an entry, and what all may without the setting', () => {
  const { used } = createPageReport();
  const [token] = used.externalTokens;
  const show = (tokens: PolicyReport['tokens']) => {
    const externalTokens = [{ ...token, subject: 'external:e:x' }];
    const report = { used: { ...used, externalTokens }, tokens };
    return sectionOf(textsOf(createPageReport(report)), 'tokens');
  };
  const head =
    '|External tokens|Subject|Requests|Last use|May|external:e:x|412|2026-11-28 10:00 UTC|';
  expect(
    show([
      { subject: 'external:e:*', only: [] },
      { subject: 'external:e:y', only: 'all' },
    ]),
  ).toBe(
    `${head}external:e:*: nothing|external:e:*|nothing|external:e:y|external:e:*: nothing|what accessRestrictions allow|`,
  );
  expect(show([])).toBe(`${head}nothing|`);
  expect(show(undefined)).toBe(`${head}what accessRestrictions allow|`);
});
