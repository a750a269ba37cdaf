import { formatListSource } from '../config/findListSources';
import { formatCandidate } from './CandidateCounts';
import type { PolicyReport } from './describePolicy';
import { formatUsage } from './describeUsage';

/** Formats a report as one block of text, for the log of the start. */
export function formatPolicyReport(report: PolicyReport): string {
  const { allow, closed, lists, unknown, opensBeyondPlugins } = report;
  const { candidate, usage } = report;
  const section = (title: string, lines: string[]) =>
    lines.length ? [`  ${title}:`, ...lines.map(line => `    ${line}`)] : [];
  return [
    `API gate: ${report.enforced ? 'enforce' : `report-only${report.until ? ` until ${report.until}` : ''}, nothing is refused`}`,
    ...section(
      'Public by rule',
      allow.map(
        rule =>
          `${rule.methods} /api/${rule.plugin}${rule.path}${rule.reason ? `  (${rule.reason})` : ''}${rule.until ? `  (${rule.ended ? 'ended, and closed since' : 'until'} ${rule.until})` : ''}${rule.installed ? '' : '  (not installed in this backend: a misspelling, or a plugin of another one)'}`,
      ),
    ),
    ...(allow.length ? [] : ['  No allow rules.']),
    ...section('Lists, by file', lists.map(formatListSource)),
    ...(report.enforced
      ? []
      : section(
          'Newly public once it is enforced',
          opensBeyondPlugins.map(
            ({ plugin, path, methods }) => `${methods} /api/${plugin}${path}`,
          ),
        )),
    ...section(
      `Opened by plugins in code, and ${report.enforced ? 'closed by the gate' : 'to be closed once it is enforced'}; these rules would open it`,
      closed.flatMap(({ plugin, path, allow: to, isWebSocket, yaml }) => [
        `${plugin} ${path}${isWebSocket ? ' (WebSocket)' : ''}, to ${to === 'unauthenticated' ? 'everybody' : "Backstage's own cookie, which goes on reading it"}:`,
        ...yaml.split('\n').map(line => `  ${line}`),
      ]),
    ),
    ...section('Not known what these open themselves', unknown),
    ...section('Candidate', candidate ? [formatCandidate(candidate)] : []),
    ...section('Use, at this backend', usage ? formatUsage(usage) : []),
  ].join('\n');
}
