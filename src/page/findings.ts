import type { Finding } from '../findings/Finding';
import type { Pieces } from '../util/pieces';
import { Html, html } from './html';
import type { PolicyReport } from '../observability/describePolicy';
import { code, Column, section, table, tag } from './parts';

/** The page stays readable, and below 1 MB with a finding for each of 1,000 rules. */
const MAX_SHOWN = 200;

/** Returns the findings that the page shows, with the numbers that the ids of their rows have. */
export function numberFindings(findings: readonly Finding[]) {
  return findings
    .slice(0, MAX_SHOWN)
    .map((finding, index) => ({ ...finding, index }));
}

const COLUMNS: readonly Column<Finding & { index: number }>[] = [
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
  const shown = numberFindings(findings);
  const left = findings.length - shown.length;
  return section(
    'findings',
    'Findings',
    findings.length === 0
      ? html`<p>
          No setting makes the gate pointless, and no rule is dangerous.
        </p>`
      : yield* table(COLUMNS, shown, ({ index }) => `finding-${index}`),
    left > 0 &&
      html`<p>${left} more: the command api-gate check lists all.</p>`,
  );
}
