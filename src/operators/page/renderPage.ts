import type { Explained } from '../reports/explainInWords';
import type { PolicyReport } from '../reports/describePolicy';
import type { ProcessReport } from '../reports/describeReplica';
import { formatEnforce } from '../reports/describeReportOnly';
import type { Pieces } from '../pieces';
import { createDocument } from './document';
import { renderExposure, renderTokens } from './access';
import { Content, Html, html } from './html';
import { counted, FIELDS, form, Late, note, preformatted, time } from './parts';
import { renderRefusals } from './refusals';
import { renderExpected, renderFindings, renderSettings } from './settings';

/** A reader's part of the page. */
export interface Asked {
  /** The present state of the process. */
  process: ProcessReport;
  /** The request to explain, and the subject of its token; empty for none. */
  request: string;
  subject: string;
  explained: Explained | undefined;
  /** The id of a refusal to find; empty for none. */
  id: string;
  /** The text that rows and items have to contain; empty for all. */
  filter: string;
}

/**
 * Renders the page of the policy for all of its readers.
 *
 * @returns a function that adds what one reader asks for, and what the head shows of the process
 */
export function* renderPage(
  report: PolicyReport,
): Pieces<(asked: Asked) => Html> {
  // The anchor, the title, the content, and the question that it answers, in the order of an operator's questions.
  const sections: [string, string, Late, ('id' | 'request')?][] = [
    ['findings', 'Findings', yield* renderFindings(report)],
    ['exposure', 'What is open', yield* renderExposure(report)],
    ['expected', 'Expected', yield* renderExpected(report)],
    ['tokens', 'External tokens', yield* renderTokens(report)],
    ['refusals', 'Refusals', yield* renderRefusals(report), 'id'],
    ['settings', 'Settings', yield* renderSettings(report)],
    ['ask', 'Ask', renderAsk, 'request'],
  ];
  return given => {
    const filter = given.filter.slice(0, FIELDS.filter.maxlength);
    const asked = { ...given, filter };
    // An answer stands alone: all rows of a large policy would come again with each.
    const answers = sections.filter(([, , , name]) => name && asked[name]);
    return createDocument(
      'API gate',
      html`${renderHead({ ...report, ...asked.process })}
        <nav aria-label="Sections">
          ${sections.map(([anchor, title]) => html`<a href="${answers.length > 0 && './'}#${anchor}">${title}</a>`)}
        </nav>
        <main>
          ${form('findings', 'Filter', asked, 'filter')}
          ${(answers.length > 0 ? answers : sections).map(
            ([anchor, title, render]) =>
              html`<section id="${anchor}" aria-labelledby="${anchor}-title">
                <h2 id="${anchor}-title">${title}</h2>
                ${render(asked)}
              </section>`,
          )}
        </main>
        <footer class="muted">
          <p>
            This page is about the backend that answers it, whose plugins the
            gate guards; other backends of a deployment have a gate of their
            own. Refusals are those of this process, kept in its memory and gone
            with it. The gate does not record what is asked, but the log of
            Backstage has the address of each request, with the question in it.
            Ids of refusals, subjects and addresses are personal data: treat a
            copy of this page as such.
          </p>
        </footer>`,
    );
  };
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
    [
      'Sign-outs and locks',
      `${counted(revocations.sessions, 'session')} ended, ${counted(revocations.lockedUsers, 'user')} locked out`,
    ],
  ] as const;
}

function renderAsk(asked: Asked): Content {
  const { explained } = asked;
  return [
    html`<p>
      What comes of a request without a credential, or with the token of a
      subject? No request is made.
    </p>`,
    form('ask', 'Explain', asked, 'request', 'subject'),
    explained &&
      ('error' in explained
        ? note('open', explained.error)
        : preformatted(explained.lines)),
  ];
}
