import { Explained, MAX_REQUEST_LENGTH } from '../reports/explainInWords';
import type { PolicyReport } from '../reports/describePolicy';
import type { ProcessReport } from '../reports/describeReplica';
import { formatEnforce } from '../reports/describeReportOnly';
import { mapInPieces, Pieces } from '../pieces';
import { createDocument } from './document';
import { renderExposure } from './exposure';
import { renderFindings } from './findings';
import { Html, html } from './html';
import { counted, note, preformatted, section, time } from './parts';
import { renderFind, renderRefusals } from './refusals';
import { renderTokens } from './tokens';

/** What the form of the page has asked. */
interface Question {
  request: string;
  subject: string;
}

/** The sections, by their ids, in the order of an operator's questions. */
const SECTIONS = {
  findings: 'Findings',
  exposure: 'What is open',
  tokens: 'External tokens',
  refusals: 'Refusals',
  ask: 'Ask',
};

/** What the page has for one reader. */
export interface Asked {
  /** What the process has now. */
  process: ProcessReport;
  question: Question;
  explained: Explained | undefined;
  /** The id of a refusal to find; empty for none. */
  id: string;
}

/** Stands for a part that each reader gets made anew. No text has the character, because `html` replaces it. */
const ASKED = new Html('\0');

/**
 * Renders the page of the policy for all of its readers.
 *
 * @returns a function that adds what one reader asks for, and what the head shows of the process, and returns the parts of the page
 */
export function* renderPage(
  report: PolicyReport,
): Pieces<(asked: Asked) => Buffer[]> {
  const page = createDocument(
    'API gate',
    html`${ASKED}
      <nav aria-label="Sections">
        ${Object.entries(SECTIONS).map(([anchor, title]) => html`<a href="#${anchor}">${title}</a>`)}
      </nav>
      <main>
        ${yield* renderFindings(report)} ${yield* renderExposure(report)}
        ${yield* renderTokens(report)} ${yield* renderRefusals(report, ASKED)}
        ${ASKED}
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
  const [start, ...parts] = yield* mapInPieces(page.split(`${ASKED}`), part =>
    Buffer.from(part),
  );
  return ({ process, question, explained, id }) => {
    const asked = [
      renderHead({ ...report, ...process }),
      html`${renderFind(process.refusals, id)}`,
      renderAsk(question, explained),
    ];
    return [
      start,
      ...parts.flatMap((part, i) => [Buffer.from(`${asked[i]}`), part]),
    ];
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
      ${enforced ? 'Each request that no rule opens needs a credential.' : ['Only locked users and ended sessions are refused', until ? [' until ', time(until)] : '', '.']}
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
    ...(replica.missingFeatures.length > 0
      ? [['Lacks on this release', replica.missingFeatures.join(', ')] as const]
      : []),
    [
      'Sign-outs and locks',
      `${counted(revocations.sessions, 'session')} ended, ${counted(revocations.lockedUsers, 'user')} locked out`,
    ],
  ] as const;
}

/** Renders the form, and the answer if something was asked. */
function renderAsk(
  { request, subject }: Question,
  explained: Explained | undefined,
): Html {
  return section(
    'ask',
    'Ask',
    html`<p>
        What comes of a request without a credential, or with the token of a
        subject? No request is made.
      </p>
      <form method="get" action="#ask">
        <label
          >Request<input
            name="request"
            value="${request}"
            placeholder="POST /api/events/http/github"
            maxlength="${MAX_REQUEST_LENGTH}"
            autocomplete="off"
            spellcheck="false"
            required
        /></label>
        <label
          >Subject of an external token, or empty<input
            name="subject"
            value="${subject}"
            maxlength="1000"
            autocomplete="off"
            spellcheck="false"
        /></label>
        <button>Explain</button>
      </form>`,
    explained &&
      ('error' in explained
        ? note('open', explained.error)
        : preformatted(explained.lines)),
  );
}
