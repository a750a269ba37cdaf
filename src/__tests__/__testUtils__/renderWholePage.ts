import type { PolicyReport } from '../../operators/reports/describePolicy';
import type { Asked } from '../../operators/page/parts';
import { renderPage } from '../../operators/page/renderPage';
import { atOnce } from '../../operators/pieces';

/** Renders the page of the policy as one reader gets it, who asks nothing unless `asked` has it. */
export function renderWholePage(
  report: PolicyReport,
  asked: Partial<Asked> = {},
): string {
  return `${atOnce(renderPage(viewOf(report, asked)))}`;
}

/** Creates what a page is rendered from. */
export function viewOf(report: PolicyReport, asked: Partial<Asked> = {}) {
  const nothing = { request: '', subject: '', id: '', filter: '' };
  return { report, explained: undefined, ...nothing, ...asked };
}
