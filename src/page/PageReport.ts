import type { PolicyReport } from '../observability/describePolicy';

export type PageReport = Omit<PolicyReport, 'allow'> & {
  allow: (PolicyReport['allow'][number] & {
    at?: { file: string; line?: number };
  })[];
};
