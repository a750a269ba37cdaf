import type { LoggerService } from '@backstage/backend-plugin-api';
import type { Decision } from '../gate/Decision';
import { withoutQuery } from '../http/requestTarget';
import type { DecidedRequest } from './GateObserver';

/** Tells the log of a request that was refused, or in report-only would have been. */
export function logRefusal(
  logger: LoggerService,
  {
    outcome,
    ...meta
  }: Pick<Decision, 'plugin' | 'outcome' | 'reason'> & {
    method: string;
    path: string;
    /** Name of the error that answers, or would. */
    errorType: string;
  },
): void {
  logger.info(
    outcome === 'would-refuse'
      ? 'API gate would have refused a request'
      : 'API gate refused a request',
    meta,
  );
}

/** The path below the plugin, for reports. */
export function pathOf({ path }: DecidedRequest): string {
  // A target such as `foo://any/api/x` has none.
  return withoutQuery(path ?? '');
}
