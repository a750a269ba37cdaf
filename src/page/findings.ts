import type { Finding } from '../findings/Finding';
import { Html, html } from './html';
import type { PolicyReport } from '../observability/describePolicy';
import { code, Column, section, table } from './parts';

/** The page stays readable, and below 1 MB with a finding for each of 1,000 rules. */
export const MAX_SHOWN = 200;

const COLUMNS: readonly Column<Finding & { index: number }>[] = [
  [
    'Finding',
    ({ accepted, id }) => [
      code(id),
      accepted &&
        html` <span class="tag closed">accepted: ${accepted.reason}</span>`,
    ],
  ],
  ['At', ({ at }) => code(at)],
  ['Why', ({ why }) => why],
  ['Write', ({ write }) => write],
];

/** Renders what to change: each finding, with what to write instead. */
export function renderFindings({ findings }: PolicyReport): Html {
  const shown = findings.slice(0, MAX_SHOWN);
  const left = findings.length - shown.length;
  return section(
    'findings',
    'Findings',
    findings.length === 0
      ? html`<p>
          No setting makes the gate pointless, and no rule is dangerous.
        </p>`
      : table(
          COLUMNS,
          shown.map((finding, index) => ({ ...finding, index })),
          ({ index }) => `finding-${index}`,
        ),
    left > 0 &&
      html`<p>${left} more: the command api-gate check lists all.</p>`,
  );
}
