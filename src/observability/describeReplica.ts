import { hostname } from 'node:os';
import { performance } from 'node:perf_hooks';
import { version } from '../../package.json';
import type { Plugins } from '../plugins/Plugins';
import type { Revocations } from '../revocation/Revocations';
import type { RecentRefusals, RefusalsReport } from './RecentRefusals';

/** The process that answers, and what it has in its memory. */
export interface ReplicaReport {
  /** The process that answers. */
  replica: {
    host: string;
    pid: number;
    startedAt: string;
    /** The version of this package. */
    gate: string;
    /** The version of `@backstage/backend-defaults`; absent where it can't be read. */
    backstage?: string;
    /** The version of Node. */
    node: string;
    /** Whether the `auth` plugin is installed here, and with it the database of the gate. */
    hasAuth: boolean;
  };
  /** The sign-outs and locks in force at this process. */
  revocations: {
    /** The number of sign-outs in force: of one session, of all sessions of a user, or by a lock that has ended. */
    sessions: number;
    /** The number of users who are locked out now. */
    lockedUsers: number;
  };
  /** The last refusals of this process. */
  refusals: RefusalsReport;
}

/** Describes this process. Nothing in it is from the database. */
export function describeReplica(options: {
  backstage: string | undefined;
  plugins: Pick<Plugins, 'isInstalled'>;
  refusals: RecentRefusals;
  revocations: Pick<Revocations, 'locks' | 'size'>;
}): ReplicaReport {
  const { backstage, plugins, refusals, revocations } = options;
  const lockedUsers = revocations.locks().length;
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
      sessions: revocations.size - lockedUsers,
      lockedUsers,
    },
    refusals: refusals.describe(),
  };
}
