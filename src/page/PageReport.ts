import type { PolicyReport } from '../observability/describePolicy';

export interface Refused {
  id: string;
  time: string;
  outcome: 'refused' | 'would-refuse';
  reason: string;
  detail?: string;
  plugin: string;
  method: string;
  path: string;
  subject?: string;
  address?: string;
}
export type PageReport = Omit<PolicyReport, 'allow' | 'usage'> & {
  allow: (PolicyReport['allow'][number] & {
    at?: { file: string; line?: number };
  })[];
  usage?: Omit<NonNullable<PolicyReport['usage']>, 'rules'> & {
    rules: (NonNullable<PolicyReport['usage']>['rules'][number] & {
      byDay?: number[];
    })[];
  };
  replica: {
    host: string;
    pid: number;
    startedAt: string;
    gate: string;
    backstage?: string;
    node: string;
    hasAuth: boolean;
  };
  revocations: { sessions: number; lockedUsers: number };
  refusals: {
    since: string;
    minutes: { minute: string; reasons: Record<string, number> }[];
    last: Refused[];
  };
};
