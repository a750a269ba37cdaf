import type { PolicyReport } from '../../operators/reports/describePolicy';
import { Asked, renderPage } from '../../operators/page/renderPage';
import { atOnce } from '../../operators/pieces';

/** Renders the page of the policy as one reader gets it, who asks nothing unless `asked` has it. */
export function renderWholePage(
  report: PolicyReport,
  asked: Partial<Asked> = {},
): string {
  const page = atOnce(renderPage(report))({
    process: report,
    request: '',
    subject: '',
    explained: undefined,
    id: '',
    filter: '',
    ...asked,
  });
  return `${page}`;
}
