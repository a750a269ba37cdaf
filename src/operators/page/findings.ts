import type { Finding } from '../findings/Finding';
import { CONFIG_KEY } from '../../settings/read/readApiGateConfig';
import type { PolicyReport } from '../reports/describePolicy';
import type { Content } from './html';
import { code, Column, table, tag } from './parts';

const FINDINGS: readonly Column<Finding>[] = [
  [
    'Finding',
    ({ accepted, id }) => [
      code(id),
      accepted && tag('closed', 'accepted: ', accepted.reason),
    ],
  ],
  ['At', ({ at }) => code(at)],
  ['Why', ({ why }) => why],
  ['Write', ({ write }) => write],
];

const EXPECTED: readonly Column<PolicyReport['expect'][number]>[] = [
  [
    'Expected',
    ({ plugin, request }) =>
      request === undefined ? `Everything of ${plugin}` : code(request),
  ],
  ['Is', ({ is }) => is],
  [
    'Holds',
    ({ holds }) =>
      holds ? 'yes' : tag('warned', 'not any more: its rule has ended'),
  ],
];

/** Counts the findings that are not accepted, such as `2 things to do`. */
export function titleOfFindings({ findings }: PolicyReport): string {
  const open = findings.filter(({ accepted }) => !accepted).length;
  return `${open || 'No'} ${open === 1 ? 'thing' : 'things'} to do`;
}

/** Renders what to change: each finding, with what to write instead. */
export function renderFindings({ findings }: PolicyReport): Content {
  const none = 'No setting makes the gate pointless, and no rule is dangerous.';
  return table(FINDINGS, findings, none);
}

/** Renders what operators expect to be public or closed, and whether it is. */
export function renderExpected(report: PolicyReport): Content {
  const none = `Nothing is written down in ${CONFIG_KEY}.expect.`;
  const warning =
    !report.enforced && 'What has to be closed is closed once you enforce.';
  return table(EXPECTED, report.expect, none, warning);
}
