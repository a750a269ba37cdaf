import { Html, html } from './html';
import type { PolicyReport } from '../observability/describePolicy';
import { list, note, number, time } from './parts';

/** Renders what an operator asks first: does the gate refuse, by which policy, and whose figures are these? */
export function renderHead(report: PolicyReport): Html {
  const { enforced, until, problem, needsRestart, reportOnly } = report;
  const newer = report.filesNewerThanPolicy ?? [];
  return html`<header>
    <h1>API gate</h1>
    <p>
      <span class="mode ${enforced ? 'good' : 'warned'}"
        >${enforced ? 'Enforcing' : 'Report-only'}</span
      >
      ${enforced ? 'Each request that no rule opens needs a credential.' : ['Nothing is refused', until ? [' until ', time(until)] : '', '.']}
    </p>
    ${reportOnly && note(reportOnly.enforce === 'now' ? 'good' : 'warned', `Enforce: ${reportOnly.enforce}, since ${reportOnly.because}.`)}
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
    ${list(report.lists.filter(({ replaces }) => replaces.length > 0).map(({ path, file, replaces }) => `${path} is that of ${file}; Backstage does not merge lists, so that of ${replaces.map(each => each.file).join(' and ')} is not in force`))}
  </header>`;
}

function facts(report: PolicyReport) {
  const { findings, hash, loadedAt, replica, revocations } = report;
  const open = findings.filter(({ accepted }) => !accepted).length;
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
    ['Sessions ended', number(revocations.sessions)],
    ['Users locked out', number(revocations.lockedUsers)],
    ['Findings', open === 0 ? 'none' : html`<a href="#findings">${open}</a>`],
  ] as const;
}
