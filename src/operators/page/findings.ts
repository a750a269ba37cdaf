import type { Finding } from '../findings/Finding';
import type { PolicyReport } from '../reports/describePolicy';
import type { Pieces } from '../pieces';
import { Html, html } from './html';
import { code, Column, section, table, tag } from './parts';

/** The page stays readable, and below 1 MB with a finding for each of 1,000 rules. */
const MAX_SHOWN = 200;

const COLUMNS: readonly Column<Finding>[] = [
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

/** Renders what to change: each finding, with what to write instead. */
export function* renderFindings({ findings }: PolicyReport): Pieces<Html> {
  const left = findings.length - MAX_SHOWN;
  return section(
    'findings',
    'Findings',
    findings.length === 0
      ? html`<p>
          No setting makes the gate pointless, and no rule is dangerous.
        </p>`
      : yield* table(COLUMNS, findings.slice(0, MAX_SHOWN)),
    left > 0 &&
      html`<p>${left} more: the command api-gate check lists all.</p>`,
  );
}
