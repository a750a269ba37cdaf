import { hostname } from 'node:os';
import { version } from '../../../package.json';
import type { Plugins } from '../../gate/plugins/Plugins';
import type { Revocations } from '../../store/revocations/Revocations';
import type { GateReport } from './GateReport';

/** The process that answers, and what it alone has in its memory. docs/reference/http-api.md describes each field. */
export type ProcessReport = ReturnType<typeof describeReplica>;

export function describeReplica(options: {
  /** The version of `@backstage/backend-defaults`; `undefined` where it can't be read. */
  backstage: string | undefined;
  plugins: Pick<Plugins, 'isInstalled'>;
  observer: Pick<GateReport, 'counts' | 'refusals'>;
  revocations: Pick<Revocations, 'size'>;
}) {
  const { backstage, observer, plugins, revocations } = options;
  return {
    replica: {
      host: hostname(),
      pid: process.pid,
      startedAt: new Date(performance.timeOrigin).toISOString(),
      gate: version,
      backstage,
      node: process.versions.node,
      hasAuth: plugins.isInstalled('auth'),
    },
    revocations: {
      /** The number of sign-outs in force: of one session, or of all sessions of a user. */
      sessions: revocations.size,
    },
    refusals: {
      since: observer.counts.since,
      counts: observer.counts.list(),
      last: observer.refusals.list(),
    },
  };
}
