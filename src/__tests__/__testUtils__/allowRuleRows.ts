/** A value for `auth.apiGate.allow`, and what the gate does with it. */
export interface AllowRuleRow {
  allow: unknown;
  expect: 'accept' | 'warn';
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
};

export const taken: AllowRuleRow[] = [
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
  { allow: null, expect: 'accept', why: 'No allow rules.' },
  {
    allow: [{ plugin: 'pub', path: '/health' }],
    expect: 'accept',
    why: 'Without methods it is GET, which implies HEAD.',
  },
];

/** Returns the value of `auth.apiGate.allow` for a row. */
export const allowOf = ({ allow }: AllowRuleRow): unknown => allow;

/** Returns the title of a row's test. */
export function nameOf({ allow, why }: AllowRuleRow): string {
  return `${JSON.stringify(allow).slice(0, 80)}: ${why}`;
}
