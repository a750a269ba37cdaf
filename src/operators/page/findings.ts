import type { Finding } from '../findings/Finding';
import type { PolicyReport } from '../reports/createPolicyReport';
import { Content, html } from './html';
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

/** Counts the findings that are not accepted, such as `2 things to do`. */
export function titleOfFindings({ findings }: PolicyReport): string {
  const open = findings.filter(({ accepted }) => !accepted).length;
  return `${open || 'No'} ${open === 1 ? 'thing' : 'things'} to do`;
}

/** Renders what to change: each finding, with what to write instead. */
export function renderFindings({ findings }: PolicyReport): Content {
  return findings.length > 0
    ? table(FINDINGS, findings, 'Findings, and what to write instead')
    : html`<p>
        No setting makes the gate pointless, and no rule is dangerous.
      </p>`;
}
