import { mapValues } from 'lodash';
import {
  createEmptyReport,
  createOddReport,
  createPageReport,
} from '../../__tests__/__testUtils__/pageReport';
import type { PolicyReport } from '../reports/createPolicyReport';
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
  'Public without a rule|any /api/auth/**|except /api/auth/api-gate and …/.backstage/auth/v1/cookie|GET /api/app/**|except …/.backstage/auth/v1/cookie|GET /api/*/.backstage/auth/v1/jwks.json|keys that verify tokens|DELETE /api/*/.backstage/auth/v1/cookie|sign-out';
const ENDS_SOON =
  'opens nothing from 2026-12-31T00:00:00.000Z|write a later until if the path has to stay public';

it.each<[string, () => PolicyReport, Record<string, string>]>([
  [
    'a usual report',
    createPageReport,
    {
      head: 'API gate|Enforcing|Each request that no rule opens needs a credential.|Policy|3f2a9c51e0b7|, in force since|2026-11-27 08:15:02 UTC|Replica|backstage-7f9c4-x2x9p, process 1, since|2026-11-27 08:15 UTC|Versions|gate 0.1.0, backend-defaults 0.19.1, Node 24.11.0|Sign-outs|17 sessions ended',
      findings: `1 thing to do|Findings, and what to write instead|Finding|At|Why|Write|rule-ends-soon|auth.apiGate.allow[2] (GET,POST /api/permission/health)|${ENDS_SOON}`,
      exposure: `What is open|Rules, and their use by this process since|2026-11-27 08:15 UTC|Public by rule|Reason|Requests|Last use|Until|POST /api/events/http/github|GitHub signs these|1,098|2026-11-28 10:00 UTC|GET /api/badges/entity/*/*/*/badge/*|badges in READMEs|62,802|2026-11-28 10:00 UTC|GET,POST /api/permission/health|0|none|2026-12-31 00:00 UTC|${WITHOUT_RULE}|Declared open by plugins|any /api/proxy/status and /status/**|everybody; closed by the gate, except for what rules name|any /api/techdocs/static and /static/**|Backstage&#39;s own cookie, which still opens it|${OUTSIDE}app, auth, badges, catalog, events, permission, proxy, scaffolder, search, techdocs`,
      tokens:
        'External tokens|What external tokens may do|Token|May|Until|Reason|ci-deploy|POST /api/catalog/refresh|2027-01-31 00:00 UTC|Jenkins|Use of external tokens by this process since|2026-11-27 08:15 UTC|Subject|Requests|Last use|ci-deploy|412|2026-11-28 10:00 UTC|mcp-readonly|0|none',
      refusals:
        'What was refused|By path and reason, by this process since|2026-11-27 08:15 UTC|Request|Reason|Refusals|Last|Last id|GET /api/proxy/status/api/v2/components|missing-credentials|1,080|2026-11-28 10:39:30 UTC|1b77c0de55aa9e21|GET /api/catalog/entities/by-name/component/default/web|invalid-token, expired|16|2026-11-28 10:40:30 UTC|9f3c2a7be1d04c55|The last 3 refusals|One by one, the newest first|Time|Id|Request|Reason|Client|2026-11-28 10:40:30 UTC|9f3c2a7be1d04c55|GET /api/catalog/entities/by-name/component/default/web|invalid-token, expired|curl/8.5.0|2026-11-28 10:39:30 UTC|1b77c0de55aa9e21|GET /api/proxy/status/api/v2/components|missing-credentials|2026-11-28 10:23:30 UTC|77aa0de15c1b9e20|POST /api/scaffolder/v2/tasks|restricted, only|external:ci-deploy',
      power:
        'Who has power|Who and what the gate trusts|operator|group:default/platform|trusted origin|https://backstage.example.com|cookie|__Host-token, SameSite=lax, Secure, this host, 900 seconds at most|Plugins of which no rule may open anything|scaffolder',
    },
  ],
  [
    'an odd report',
    createOddReport,
    {
      head: 'API gate|Report-only|Only ended sessions are refused until|2026-12-31 00:00 UTC|: see|what works until then|.|The configuration has changed and is not in force: x|A restart is needed for a, b.|The backend has not read the last change of f, g.|Policy|3f2a9c51e0b7|, in force since|2026-11-27 08:15:02 UTC|Replica|backstage-7f9c4-x2x9p, process 1, since|2026-11-27 08:15 UTC|Versions|gate 0.1.0, Node 24.11.0|Sign-outs|17 sessions ended',
      findings: `2 things to do|Findings, and what to write instead|Finding|At|Why|Write|rule-ends-soon|accepted: r|auth.apiGate.allow[2] (GET,POST /api/permission/health)|${ENDS_SOON}|rule-ends-soon|auth.apiGate.allow[1].path|${ENDS_SOON}|rule-ends-soon|x auth.apiGate.allow[1]|${ENDS_SOON}`,
      exposure: `What is open|Rules, and their use by this process since|2026-11-27 08:15 UTC|Public by rule|Requests|Last use|Until|POST /api/events/http/github|1,234|2026-11-28 10:00 UTC|2026-11-01 00:00 UTC|ended|Newly public once the gate enforces|GET /api/badges/c|w|Not known|search|what it declares open|Lists, by file|p: 1 of f|${OUTSIDE}search, badges, catalog`,
      tokens:
        'External tokens|What external tokens may do, which is not in force yet|Token|May|Until|Reason|ci-deploy|POST /api/catalog/refresh|2027-01-31 00:00 UTC|Jenkins|ci-deploy|nothing|2026-11-01 00:00 UTC|ended|Jenkins|No external token was seen.',
      refusals:
        'What was refused|Worked at this replica since 2026-11-01T07:00:00.000Z, and will be refused from 2026-12-31T00:00:00.000Z on; z|# - r|GET /api/catalog/…: 1 request on 2026-11-01; auth.apiGate.closed has its plugin|GET not installed: 1 request from 2026-11-01 to 2026-11-02; no rule|By path and reason, by this process since|2026-11-27 08:15 UTC|Request|Reason|Refusals|Answer|Last|Last id|GET /api/…/…|(not installed)|others|not yet refused|2|worked (200)|2026-11-02 08:00 UTC|f|The last 1 refusal|One by one, the newest first|Time|Id|Request|Reason|Client|2026-11-28 10:40:30 UTC|9f3c2a7be1d04c55|GET /api/catalog/entities/by-name/component/default/web|invalid-token, expired|not yet refused|curl/8.5.0',
      power: 'Who has power|Accepted findings|i|auth.x; r',
    },
  ],
  [
    'an empty report',
    createEmptyReport,
    {
      exposure: `What is open|No rule opens anything.|${OUTSIDE}auth`,
      findings:
        'No things to do|No setting makes the gate pointless, and no rule is dangerous.',
      tokens:
        'External tokens|What external tokens may do|Token|none|No external token was seen.',
      refusals:
        'What was refused|None by this process since|2026-11-28 10:00 UTC|.',
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
    'warned: ended',
    'warned: not yet refused',
    'warned: not yet refused',
    'warned: ended',
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
    ...['"#refusals">What was refused', '"#tokens">External tokens'],
    '"#power">Who has power',
  ]);
  expect(page).toContain('<p>No request.</p>');
  expect(page).toContain('>user:default/a, ::1, curl/8.5.0</td>');
});

it('has a caption for each table', () => {
  const page = `${renderPage(createPageReport())}`;
  expect(page.match(/<table>\n<caption>/g)).toHaveLength(
    page.match(/<table>/g)!.length,
  );
});
