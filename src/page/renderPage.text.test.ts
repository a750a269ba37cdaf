import { mapValues } from 'lodash';
import {
  createEmptyReport,
  createOddReport,
  createPageReport,
} from '../__testUtils__/pageReport';
import type { PolicyReport } from '../observability/describePolicy';
import { renderWholePage } from '../__testUtils__/renderWholePage';

beforeEach(() => {
  jest.spyOn(Date, 'now').mockReturnValue(Date.parse('2026-11-28T10:42:30Z'));
});
afterEach(() => jest.restoreAllMocks());

/** Returns a function that reads the texts of a page from a place on, with `|` in place of tags. */
function textsOf(report: PolicyReport) {
  const page = renderWholePage(report);
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

const EVERYWHERE =
  'Of every plugin, without a rule|GET /.backstage/auth/v1/jwks.json (keys that verify tokens)|DELETE /.backstage/auth/v1/cookie (sign-out)|Outside of /api, where the gate is not|Health checks: /.backstage/health/v1/readiness and …/liveness|The frontend, which the plugin app serves at /|What a plugin adds to the root router itself, such as /.well-known/… of mcp-actions';
const ENDS_SOON =
  'opens nothing from 2026-12-31T00:00:00.000Z|write a later until if the path has to stay public';

it.each<[string, () => PolicyReport, Record<string, string>]>([
  [
    'a usual report',
    createPageReport,
    {
      head: 'API gate|Enforcing|Each request that no rule opens needs a credential.|Policy|3f2a9c51e0b7|, in force since|2026-11-27 08:15:02 UTC|Replica|backstage-7f9c4-x2x9p, process 1, since|2026-11-27 08:15 UTC|Versions|gate 0.1.0, backend-defaults 0.19.1, Node 24.11.0|Sessions ended|17|Users locked out|1|Findings|1',
      exposure: `What is open, by plugin|Plugin|Open to everybody|Opened in code|app|GET /api/app/** (the frontend, except /.backstage/auth/v1/cookie), without a rule|auth|GET,POST,PUT,PATCH,DELETE /api/auth/** (sign-in, except /api-gate and /.backstage/auth/v1/cookie), without a rule|badges|GET /api/badges/entity/*/*/*/badge/*|events|POST /api/events/http/github|permission|GET /api/permission/health|proxy|/status: closed by the gate|techdocs|/static: open to Backstage&#39;s own cookie only|All else of these plugins needs a credential, and all of:|catalog|,|scaffolder|,|search|.|${EVERYWHERE}`,
      findings: `Findings|Finding|At|Why|Write|rule-ends-soon|auth.apiGate.allow[2] (GET /api/permission/health)|${ENDS_SOON}`,
      rules:
        'Rules|Opens|Reason|Use in 30 days|End|Requires|Findings|POST /api/events/http/github|auth.apiGate.allow[0]|GitHub signs these|1,098 requests|last|2026-11-28|events.modules.github.webhookSecret|GET /api/badges/entity/*/*/*/badge/*|auth.apiGate.allow[1]|badges in READMEs|62,802 requests|last|2026-11-28|GET /api/permission/health|auth.apiGate.allow[2]|none in 30 days|2026-12-31 00:00 UTC|rule-ends-soon|Use is that of all replicas of this backend, since|2026-10-29 00:00 UTC|.',
      tokens:
        'External tokens|Subject|Calls|Handlers call for it|Last use|30 days|May|Could be narrowed to|ci-deploy|catalog|permission|2026-11-28|412 requests|POST /api/catalog/refresh until|2027-01-31 00:00 UTC|(Jenkins)|Plugins|accessRestrictions:|- plugin: catalog|- plugin: permission # handlers call it for this token|mcp-readonly|none in 12 days|0 requests',
      refusals:
        'Refusals|The last hour, by minute|Reason|Requests|By minute|missing-credentials|80|invalid-token|16|Id of a refusal|Find|The last 3 refusals of this process|Time|Id|Request|Reason|Client|2026-11-28 10:40:30 UTC|9f3c2a7be1d04c55|GET /api/catalog/entities/by-name/component/default/web|invalid-token, expired|2026-11-28 10:39:30 UTC|1b77c0de55aa9e21|GET /api/proxy/status/api/v2/components|missing-credentials|2026-11-28 10:23:30 UTC|77aa0de15c1b9e20|POST /api/scaffolder/v2/tasks|restricted, only|external:ci-deploy',
      ask: 'Ask|What comes of a request without a credential, or with the token of a subject? No request is made.|Request|Subject of an external token, or empty|Explain',
    },
  ],
  [
    'an odd report',
    createOddReport,
    {
      head: 'API gate|Report-only|Only locked users and ended sessions are refused until|2026-12-31 00:00 UTC|.|Enforce: now, since y.|The configuration has changed and is not in force: x|A restart is needed for a, b.|The backend has not read the last change of f, g.|Policy|3f2a9c51e0b7|, in force since|2026-11-27 08:15:02 UTC|Replica|backstage-7f9c4-x2x9p, process 1, since|2026-11-27 08:15 UTC|Versions|gate 0.1.0, Node 24.11.0|Sessions ended|17|Users locked out|1|Findings|2|q is that of f; Backstage does not merge lists, so that of g and h is not in force',
      exposure: `What is open, by plugin|Plugin|Open to everybody|Opened in code|badges|GET /api/badges/entity/*/*/*/badge/*|(ended)|GET /api/badges/c|(ended)|/d (WebSocket): closed once you enforce|/d: closed once you enforce|events|not installed in this backend|POST /api/events/http/github|(closed)|/e: open to Backstage&#39;s own cookie only|search|not known: its own policies are not recorded|All else of these plugins needs a credential, and all of:|catalog|.|${EVERYWHERE}`,
      findings: `Findings|Finding|At|Why|Write|rule-ends-soon|accepted: r|auth.apiGate.allow[10]|${ENDS_SOON}|rule-ends-soon|auth.apiGate.allow[1].path|${ENDS_SOON}|rule-ends-soon|x auth.apiGate.allow[1]|${ENDS_SOON}`,
      rules:
        'Rules|Opens|Reason|Use in 30 days|End|Requires|Findings|POST /api/events/http/github|auth.apiGate.allow[0]|GitHub signs these|1,098 requests|last|2026-11-28|events.modules.github.webhookSecret|missing, so closed|GET /api/badges/entity/*/*/*/badge/*|auth.apiGate.allow[1]|rule-ends-soon|GET /api/badges/c|auth.apiGate.allow[2]|badges in READMEs|2026-11-01 00:00 UTC|ended|Use is that of this process since its start, since|2026-10-29 00:00 UTC|; the record is not complete.',
      tokens:
        'External tokens|Subject|Calls|Last use|30 days|May|Could be narrowed to|ci-deploy|d, e|2026-11-28|412 requests|what accessRestrictions allow until|2027-01-31 00:00 UTC|ended|not in force|(Jenkins)|GET /api/a/x; GET,POST /api/b/y|not in force|Plugins|a|b|Requests|c|f|none|1 request',
      refusals:
        'Refusals|Worked, and will stop working once you enforce|z|Request|Requests|Seen|Answered|To keep it public|GET /api/catalog/a|1,234|2026-11-01|to|2026-11-02|200|# - r|GET /api/catalog/…|1|2026-11-01|nothing: auth.apiGate.expect has it as closed|GET /api/…/…|(not installed)|1|2026-11-01|to|2026-11-02|no rule|The last hour, by minute|None since|2026-11-28 09:42:30 UTC|.|Id of a refusal|Find|The last 1 refusal of this process|Time|Id|Request|Reason|2026-11-28 10:40:30 UTC|9f3c2a7be1d04c55|GET /api/catalog/entities/by-name/component/default/web|invalid-token, expired|not yet refused',
    },
  ],
  [
    'an empty report',
    createEmptyReport,
    {
      exposure:
        'What is open, by plugin|All else of these plugins needs a credential.|Of every plugin, without a rule|Outside of /api, where the gate is not|Health checks: /.backstage/health/v1/readiness and …/liveness|The frontend, which the plugin app serves at /|What a plugin adds to the root router itself, such as /.well-known/… of mcp-actions',
      findings:
        'Findings|No setting makes the gate pointless, and no rule is dangerous.',
      rules: 'Rules|No rule opens anything.',
      tokens:
        'External tokens|No external token is configured, and none was seen.',
      refusals:
        'Refusals|The last hour, by minute|None since|2026-11-28 10:00 UTC|.|Id of a refusal|Find',
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
  const marksOf = (report: PolicyReport, asked = {}) =>
    [
      ...renderWholePage(report, asked).matchAll(
        /class="(?:mode|tag|note) (\w+)"[^>]*>\s*(.*?)</gs,
      ),
    ].map(([, kind, text]) => `${kind}: ${text}`);
  expect(marksOf(createOddReport(), { id: 'x' })).toEqual([
    'warned: Report-only',
    'good: Enforce: now, since y.',
    'open: The configuration has changed and is not in force: x',
    'warned: A restart is needed for a, b.',
    'warned: The backend has not read the last change of f, g.',
    'warned: not installed in this backend',
    'closed: accepted: r',
    'warned: missing, so closed',
    'open: rule-ends-soon',
    'warned: ended',
    'warned: ended',
    'warned: not in force',
    'warned: not in force',
    'warned: No refusal with the id x is among the last 1 of this process: the log has it.',
    'warned: not yet refused',
  ]);
  const explained = { error: 'no request' };
  expect(marksOf(createPageReport(), { explained })).toEqual([
    'good: Enforcing',
    'open: rule-ends-soon',
    'open: no request',
  ]);
});

it('links a rule to its findings, and shows 200 of these', () => {
  const { findings } = createPageReport();
  const at = (i: number) => `auth.apiGate.allow[${i % 2}] (x)`;
  const page = renderWholePage(
    createPageReport({
      findings: Array.from({ length: 201 }, (_, i) => ({
        ...findings[0],
        at: at(i),
      })),
    }),
  );
  const [, first] = page.split(' id="rule-1"');
  const [row] = first.split('</tr>');
  expect(row.match(/#finding-\d+/g)).toHaveLength(100);
  expect(row).toContain('"#finding-199"');
  expect(page).toContain(' id="finding-199"');
  expect(page).not.toContain('finding-200');
  expect(page).toContain(
    '<p>1 more: the command api-gate check lists all.</p>',
  );
});

it('keeps the question in the form', () => {
  const question = { request: 'GET /x', subject: 'ci' };
  const page = renderWholePage(createPageReport(), {
    question,
    explained: { lines: ['one', 'two'] },
    id: 'of-a-refusal',
  });
  expect(
    [...page.matchAll(/name="(\w+)"\s+value="([^"]*)"/g)].map(
      ([, name, value]) => `${name}=${value}`,
    ),
  ).toEqual(['id=of-a-refusal', 'request=GET /x', 'subject=ci']);
  expect(page).toContain('<pre>one<br />two<br /></pre>');
});

it('has a title, links to its sections, and words where a list is empty', () => {
  const { refusals } = createPageReport();
  const [refused] = refusals.last;
  const page = renderWholePage(
    createPageReport({
      reportOnly: {
        ...{ enforce: 'not yet', because: 'y', days: 1, workedLast: null },
        worked: [],
      },
      refusals: {
        ...refusals,
        last: [{ ...refused, subject: 'user:default/a', address: '::1' }],
      },
    }),
  );
  expect(page).toContain('<title>API gate</title>');
  const [, nav] = page.split('<nav aria-label="Sections">');
  expect(nav.split('</nav>')[0].match(/"#\w+">[^<]+/g)).toEqual([
    ...['"#exposure">What is open', '"#findings">Findings', '"#rules">Rules'],
    ...['"#tokens">External tokens', '"#refusals">Refusals', '"#ask">Ask'],
  ]);
  expect(page).toContain('<p class="note warned">Enforce: not yet, since y.');
  expect(page).toContain('<p>No request in 30 days.</p>');
  expect(page).toContain('>user:default/a, ::1</td>');
});

it('shows the limits of a token that has made no request', () => {
  const { usage } = createPageReport();
  const texts = textsOf(
    createPageReport({
      usage: { ...usage!, externalTokens: [] },
      tokens: [{ subject: 'unused', reason: 'Jenkins' }],
    }),
  );
  expect(sectionOf(texts, 'tokens')).toBe(
    '|External tokens|Subject|May|unused|what accessRestrictions allow (Jenkins)|',
  );
});

it('draws the refusals of 60 minutes for each reason, the most frequent one first', () => {
  const minutesAgo = (minutes: number, reasons: object) => ({
    minute: new Date(Date.now() - minutes * 60_000).toISOString(),
    reasons: reasons as Record<string, number>,
  });
  const { refusals } = createPageReport();
  const page = renderWholePage(
    createPageReport({
      refusals: {
        ...refusals,
        minutes: [
          minutesAgo(60, { revoked: 7 }),
          minutesAgo(59, { restricted: 1 }),
          minutesAgo(1, { restricted: 2, locked: 1 }),
          minutesAgo(0, { locked: 4 }),
          minutesAgo(-1, { revoked: 8 }),
        ],
      },
    }),
  );
  const rows = [
    ...page.matchAll(
      /<code>(\w+)<\/code><\/td><td data-l="Requests">(\d+)<.*?d="([^"]*)"/gs,
    ),
  ].map(([, reason, sum, path]) => `${reason} ${sum} ${path}`);
  const none = (minutes: number) => 'V20h1'.repeat(minutes);
  expect(rows).toEqual([
    `locked 5 M0 20${none(58)}V15h1V0h1V20z`,
    `restricted 3 M0 20V10h1${none(57)}V0h1V20h1V20z`,
  ]);
});
