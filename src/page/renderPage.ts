import type { Explained } from '../observability/explainInWords';
import { Question, renderAsk } from './ask';
import { createDocument } from './document';
import { renderExposure } from './exposure';
import { renderFindings } from './findings';
import { renderHead } from './head';
import { html } from './html';
import type { PolicyReport } from '../observability/describePolicy';
import { renderRefusals } from './refusals';
import { renderRules } from './rules';
import { renderTokens } from './tokens';

/** The sections, by their ids, in the order of an operator's questions. */
const SECTIONS = {
  exposure: 'What is open',
  findings: 'Findings',
  rules: 'Rules',
  tokens: 'External tokens',
  refusals: 'Refusals',
  ask: 'Ask',
};

/** Renders the page of the policy. */
export function renderPage(options: {
  report: PolicyReport;
  question: Question;
  explained: Explained | undefined;
  /** The id of a refusal to find; empty for none. */
  id: string;
}): string {
  const { report, question, explained, id } = options;
  return createDocument(
    'API gate',
    html`${renderHead(report)}
      <nav aria-label="Sections">
        ${Object.entries(SECTIONS).map(([anchor, title]) => html`<a href="#${anchor}">${title}</a>`)}
      </nav>
      <main>
        ${renderExposure(report)} ${renderFindings(report)}
        ${renderRules(report)} ${renderTokens(report)}
        ${renderRefusals(report, id)} ${renderAsk(question, explained)}
      </main>
      <footer class="muted">
        <p>
          This page is about the backend that answers it, whose plugins the gate
          guards; other backends of a deployment have a gate of their own.
          Refusals are those of this process, kept in its memory and gone with
          it. The gate does not record what is asked, but the log of Backstage
          has the address of each request, with the question in it. Ids of
          refusals, subjects and addresses are personal data: treat a copy of
          this page as such.
        </p>
      </footer>`,
  );
}
