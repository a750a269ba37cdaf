/** A value for `auth.apiGate.allow`, and what the gate does with it. */
export interface AllowRuleRow {
  allow: unknown;
  expect: 'accept' | 'warn' | 'reject';
  why: string;
}

const RULE = { plugin: 'pub', path: '/health', methods: ['GET'] };

/** The rules, each with the reason for its result. A text is the path of a rule, and an object is what a rule has in place of `RULE`. */
const RULES: Record<
  AllowRuleRow['expect'],
  [why: string, rule: string | object][]
> = {
  accept: [
    ['Exact path.', '/health'],
    ['Subtree.', '/static/**'],
    ['Unreserved characters.', '/a-b_c.d~e/f'],
    ['A leading dot is no dot segment.', '/.well-known/jwks.json'],
    ['Explicit HEAD.', { methods: ['GET', 'HEAD'] }],
    ['A webhook.', { path: '/hook', methods: ['POST'] }],
    ['A WebSocket handler.', { path: '/ws', methods: ['WEBSOCKET'] }],
    ['A reason.', { path: '/static/**', reason: 'theme files' }],
  ],
  warn: [
    ['The whole plugin.', '/**'],
    ['Exact root: it never means the whole plugin.', '/'],
    ['A plugin that is not installed.', { plugin: 'nosuchplugin' }],
    ['Duplicate.', { methods: ['GET', 'GET'] }],
  ],
  reject: [
    ['A parameter: rules are literal paths.', '/users/:id'],
    ['Without a leading slash it would never match.', 'health'],
    ['Empty path.', ''],
    ['The path is relative to the plugin.', '/api/pub/health'],
    ['Query.', '/health?x=1'],
    ['Fragment.', '/health#x'],
    ['Dot segment.', '/a/../b'],
    ['Dot segment.', '/a/./b'],
    ['Dot segment at the end.', '/..'],
    ['Empty segment.', '/a//b'],
    ['Trailing blank.', '/health '],
    ['Blank.', '/he alth'],
    ['Newline.', '/health\n'],
    ['Express never decodes for matching.', '/h%65alth'],
    ['Backslash.', '/a\\b'],
    ['Other characters than ASCII never arrive raw.', '/café'],
    ['No request with it may use a rule.', '/a;b'],
    ['A colon is special in the policies of plugins.', '/a:b'],
    ['Trailing slash: Express serves /health alike.', '/health/'],
    ['Text of a regular expression.', '^/health$'],
    ['Text of a regular expression.', '/.*'],
    ['Group of a regular expression.', '/(a|b)'],
    ['Wildcard inside a segment (as in CVE-2026-73563).', '/health*'],
    ['An attacker chooses the first segment.', '/*/public/**'],
    ['As in CVE-2025-54576 and CVE-2026-41059.', '/**/health'],
    ['Backstage takes it for everything.', '*'],
    ['The cookie endpoint.', '/.backstage/auth/v1/cookie'],
    ['Too long.', '/a'.repeat(2000)],
    ['Wildcard plugin.', { plugin: '*' }],
    ['Empty plugin.', { plugin: '' }],
    ['Plugin ids are in lower case.', { plugin: 'Pub' }],
    ['Slash in the plugin id.', { plugin: 'pub/x' }],
    ['No method must not mean all of them.', { methods: [] }],
    ['Lower-case method.', { methods: ['get'] }],
    ['All methods.', { methods: ['*'] }],
    ['A method that Node does not parse.', { methods: ['FOO'] }],
    ['TRACE.', { methods: ['TRACE'] }],
    ['CONNECT never reaches Express.', { methods: ['CONNECT'] }],
    ['A text where a list belongs.', { methods: 'GET' }],
    ['Unknown key.', { method: ['POST'] }],
    ['Subtree of WebSockets.', { path: '/ws/**', methods: ['WEBSOCKET'] }],
    ['A reason is text.', { reason: 5 }],
  ],
};

const rows: AllowRuleRow[] = [
  ...Object.entries(RULES).flatMap(([expect, some]) =>
    some.map(([why, rule]) => ({
      allow: [
        { ...RULE, ...(typeof rule === 'string' ? { path: rule } : rule) },
      ],
      expect: expect as AllowRuleRow['expect'],
      why,
    })),
  ),
  { allow: [RULE, RULE], expect: 'warn', why: 'Duplicate rule.' },
  { allow: 'not-a-list', expect: 'reject', why: 'No list.' },
  { allow: null, expect: 'accept', why: 'No allow rules.' },
  {
    allow: [{ plugin: 'pub', path: '/health' }],
    expect: 'accept',
    why: 'Without methods it is GET, which implies HEAD.',
  },
];

export const rejected = rows.filter(row => row.expect === 'reject');
export const taken = rows.filter(row => row.expect !== 'reject');

/** Returns the value of `auth.apiGate.allow` for a row. */
export const allowOf = ({ allow }: AllowRuleRow): unknown => allow;

/** Returns the title of a row's test. */
export function nameOf({ allow, why }: AllowRuleRow): string {
  return `${JSON.stringify(allow).slice(0, 80)}: ${why}`;
}
