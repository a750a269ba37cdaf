import type { PolicyReport } from '../reports/createPolicyReport';
import { createDocument } from './document';
import { renderExposure, renderPower, renderTokens } from './facts';
import { renderFindings, titleOfFindings } from './findings';
import { Content, Html, html } from './html';
import { counted, note, time } from './parts';
import { renderRefusals } from './refusals';

/** Renders the page of the policy. */
export function renderPage(report: PolicyReport): Html {
  // The anchor, the title and the content, in the order of an operator's questions.
  const sections: [string, string, Content][] = [
    ['findings', titleOfFindings(report), renderFindings(report)],
    ['exposure', 'What is open', renderExposure(report)],
    ['refusals', 'What was refused', renderRefusals(report)],
    ['tokens', 'External tokens', renderTokens(report)],
    ['power', 'Who has power', renderPower(report)],
  ];
  return createDocument(
    'API gate',
    html`${renderHead(report)}
      <nav aria-label="Sections">
        ${sections.map(([anchor, title]) => html`<a href="#${anchor}">${title}</a>`)}
      </nav>
      <main>
        ${sections.map(
          ([anchor, title, content]) =>
            html`<section id="${anchor}" aria-labelledby="${anchor}-title">
              <h2 id="${anchor}-title">${title}</h2>
              ${content}
            </section>`,
        )}
      </main>
      <footer class="muted">
        <p>
          This page is about the backend that answers it, whose plugins the gate
          guards; other backends of a deployment have a gate of their own.
          Refusals are those of this process, kept in its memory and gone with
          it. Ids of refusals, subjects and addresses are personal data: treat a
          copy of this page as such.
        </p>
      </footer>`,
  );
}

/** Renders what an operator asks first: does the gate refuse, by which policy, and whose figures are these? */
function renderHead(report: PolicyReport): Html {
  const { enforced, until, problem, needsRestart } = report;
  const newer = report.filesNewerThanPolicy ?? [];
  return html`<header>
    <h1>API gate</h1>
    <p>
      <span class="mode ${enforced ? 'good' : 'warned'}"
        >${enforced ? 'Enforcing' : 'Report-only'}</span
      >
      ${enforced ? 'Each request that no rule opens needs a credential.' : ['Only ended sessions are refused', until && html` until ${time(until)}: see <a href="#refusals">what works until then</a>`, '.']}
    </p>
    ${problem !== undefined && note('open', `The configuration has changed and is not in force: ${problem}`)}
    ${needsRestart.length > 0 && note('warned', `A restart is needed for ${needsRestart.join(', ')}.`)}
    ${newer.length > 0 && note('warned', `The backend has not read the last change of ${newer.join(', ')}.`)}
    <dl class="facts">
      ${facts(report).map(
        ([name, value]) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
    </dl>
  </header>`;
}

function facts(report: PolicyReport) {
  const { hash, loadedAt, replica, revocations } = report;
  return [
    ['Policy', html`<code>${hash}</code>, in force since ${time(loadedAt)}`],
    [
      'Replica',
      html`${replica.host}, process ${replica.pid}, since
      ${time(replica.startedAt)}`,
    ],
    [
      'Versions',
      `gate ${replica.gate}${replica.backstage ? `, backend-defaults ${replica.backstage}` : ''}, Node ${replica.node}`,
    ],
    ['Sign-outs', `${counted(revocations.sessions, 'session')} ended`],
  ] as const;
}
