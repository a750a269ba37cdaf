import type { PolicyReport } from '../reports/describePolicy';
import { formatEnforce } from '../reports/describeReportOnly';
import type { Pieces } from '../pieces';
import { createDocument } from './document';
import { Content, Html, html } from './html';
import { counted, FIELDS, form, note, preformatted, time, View } from './parts';
import { renderRefusals } from './refusals';
import {
  renderExposure,
  renderExpected,
  renderFindings,
  renderSettings,
  renderTokens,
} from './sections';

type Render = (view: View) => Pieces<Content>;

/** The anchor, the title, the content, and the question that it answers, in the order of an operator's questions. */
const SECTIONS: [string, string, Render, ('id' | 'request')?][] = [
  ['findings', 'Findings', renderFindings],
  ['exposure', 'What is open', renderExposure],
  ['expected', 'Expected', renderExpected],
  ['tokens', 'External tokens', renderTokens],
  ['refusals', 'Refusals', renderRefusals, 'id'],
  ['settings', 'Settings', renderSettings],
  ['ask', 'Ask', renderAsk, 'request'],
];

/** Renders the page of the policy as one reader gets it. */
export function* renderPage(asked: View): Pieces<Html> {
  const filter = asked.filter.slice(0, FIELDS.filter.maxlength);
  const view = { ...asked, filter };
  // An answer stands alone: all rows of a large policy would come again with each.
  const answers = SECTIONS.filter(([, , , name]) => name && view[name]);
  const isAnswer = answers.length > 0;
  const sections: Html[] = [];
  for (const [anchor, title, render] of isAnswer ? answers : SECTIONS) {
    const content = yield* render(view);
    sections.push(
      html`<section id="${anchor}" aria-labelledby="${anchor}-title">
        <h2 id="${anchor}-title">${title}</h2>
        ${content}
      </section>`,
    );
  }
  return createDocument(
    'API gate',
    html`${renderHead(view.report)}
      <nav aria-label="Sections">
        ${SECTIONS.map(([anchor, title]) => html`<a href="${isAnswer && './'}#${anchor}">${title}</a>`)}
      </nav>
      <main>${form('findings', 'Filter', view, 'filter')} ${sections}</main>
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

/** Renders what an operator asks first: does the gate refuse, by which policy, and whose figures are these? */
function renderHead(report: PolicyReport): Html {
  const { enforced, until, problem, needsRestart, reportOnly } = report;
  const newer = report.filesNewerThanPolicy ?? [];
  return html`<header>
    <h1>API gate</h1>
    <p>
      <span class="mode ${enforced ? 'good' : 'warned'}"
        >${enforced ? 'Enforcing' : 'Report-only'}</span
      >
      ${enforced ? 'Each request that no rule opens needs a credential.' : ['Only locked users and ended sessions are refused', until && html` until ${time(until)}: see <a href="./#refusals">what works until then</a>`, '.']}
    </p>
    ${reportOnly && note(reportOnly.enforce === 'now' ? 'good' : 'warned', `${formatEnforce(reportOnly)}.`)}
    ${problem !== undefined && note('open', `The configuration has changed and is not in force: ${problem}`)}
    ${needsRestart.length > 0 && note('warned', `A restart is needed for ${needsRestart.join(', ')}.`)}
    ${newer.length > 0 && note('warned', `The backend has not read the last change of ${newer.join(', ')}.`)}
    <dl class="facts">
      ${Object.entries(describeProcess(report)).map(
        ([name, value]) =>
          value !== '' &&
          html`<div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
    </dl>
  </header>`;
}

function describeProcess(report: PolicyReport): Record<string, Content> {
  const { hash, loadedAt, replica, revocations } = report;
  return {
    Policy: html`<code>${hash}</code>, in force since ${time(loadedAt)}`,
    Replica: html`${replica.host}, process ${replica.pid}, since
    ${time(replica.startedAt)}`,
    Versions: `gate ${replica.gate}${replica.backstage ? `, backend-defaults ${replica.backstage}` : ''}, Node ${replica.node}`,
    'Lacks on this release': replica.missingFeatures.join(', '),
    'Sign-outs and locks': `${counted(revocations.sessions, 'session')} ended, ${counted(revocations.lockedUsers, 'user')} locked out`,
  };
}

function* renderAsk(view: View): Pieces<Content> {
  const { explained } = view;
  return [
    html`<p>
      What comes of a request without a credential, or with the token of a
      subject? No request is made.
    </p>`,
    form('ask', 'Explain', view, 'request', 'subject'),
    explained &&
      ('error' in explained
        ? note('open', explained.error)
        : preformatted(explained.lines)),
  ];
}
