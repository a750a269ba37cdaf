import { groupBy } from 'lodash';
import { mapInPieces, Pieces, Result } from '../util/pieces';
import { formatRule } from '../config/AllowRule';
import { formatBuiltIn } from '../observability/formatPolicyReport';
import type { DeclaredPolicy } from '../plugins/DeclaredPolicies';
import { Html, html } from './html';
import type { PolicyReport } from '../observability/describePolicy';
import { code, list, section, table, tag } from './parts';

/** What answers outside of `/api`, where the gate is not. */
const OUTSIDE = [
  'Health checks: /.backstage/health/v1/readiness and …/liveness',
  'The frontend, which the plugin app serves at /',
  'What a plugin adds to the root router itself, such as /.well-known/… of mcp-actions',
];

/** What a plugin has open, for those who have not signed in. */
type Exposed = Result<ReturnType<typeof readPlugins>>[number];

/** Renders what can be reached without signing in, plugin by plugin. */
export function* renderExposure(report: PolicyReport): Pieces<Html> {
  const plugins = yield* readPlugins(report);
  const isOpen = ({ inCode, open }: Exposed) => inCode.length + open.length > 0;
  const others = plugins.filter(plugin => !isOpen(plugin));
  const names = others.map(({ id }, i) => [i > 0 && ', ', code(id)]);
  return section(
    'exposure',
    'What is open, by plugin',
    yield* table(
      [
        [
          'Plugin',
          ({ id, isInstalled }) => [
            code(id),
            !isInstalled && tag('warned', 'not installed in this backend'),
          ],
        ],
        ['Open to everybody', ({ open }) => list(open)],
        ['Opened in code', ({ inCode }) => list(inCode)],
      ],
      plugins.filter(isOpen),
    ),
    html`<p>
        All else of these plugins needs a
        credential${names.length > 0 && html`, and all of: ${names}`}.
      </p>
      <h3>Of every plugin, without a rule</h3>`,
    list(
      report.builtIn
        .filter(({ plugin }) => plugin === '*')
        .map(({ methods, path, reason }) => `${methods} ${path}  (${reason})`),
    ),
    html`<h3>Outside of /api, where the gate is not</h3>`,
    list(OUTSIDE),
  );
}

function* readPlugins(report: PolicyReport) {
  const { builtIn, closed, installed, unknown } = report;
  const allow = report.allow.map((rule, index) => ({ ...rule, index }));
  const rulesOf = new Map(Object.entries(groupBy(allow, 'plugin')));
  const ids = [...installed, ...[...allow, ...closed].map(each => each.plugin)];
  return yield* mapInPieces([...new Set(ids)].sort(), id => {
    const isOfPlugin = ({ plugin }: { plugin: string }) => plugin === id;
    const rules = rulesOf.get(id) ?? [];
    const hasRules = rules.some(({ ended, unmet }) => !ended && !unmet);
    return {
      id,
      isInstalled: installed.includes(id),
      /** By a rule, and what Backstage can't work without. */
      open: [
        ...rules.map(rule => [
          html`<a href="#rule-${rule.index}">${formatRule(rule)}</a>`,
          rule.ended && ' (ended)',
          rule.unmet && ' (closed)',
        ]),
        ...builtIn
          .filter(isOfPlugin)
          .map(rule => `${formatBuiltIn(rule)}, without a rule`),
      ],
      /** What the plugin has opened in code, and the gate does not let pass. */
      inCode: [
        ...closed
          .filter(isOfPlugin)
          .map(policy => formatInCode(policy, report.enforced, hasRules)),
        ...(unknown.includes(id)
          ? ['not known: its own policies are not recorded']
          : []),
      ],
    };
  });
}

function formatInCode(
  { allow, isWebSocket, path }: DeclaredPolicy,
  isEnforced: boolean,
  hasRules: boolean,
): string {
  const state =
    allow === 'user-cookie'
      ? "open to Backstage's own cookie only"
      : `closed ${isEnforced ? 'by the gate' : 'once you enforce'}${hasRules ? ', except for its rules' : ''}`;
  return `${path}${isWebSocket ? ' (WebSocket)' : ''}: ${state}`;
}
