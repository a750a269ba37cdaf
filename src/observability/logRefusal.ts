import type { LoggerService } from '@backstage/backend-plugin-api';
import type { Decision } from '../decision/Decision';
import { withoutQuery } from '../http/requestTarget';
import type { DecidedRequest } from '../decision/GateObserver';

/** A request that was refused, or in report-only would have been, as the log has it. */
export interface RefusedRequest extends Pick<
  Decision,
  'plugin' | 'outcome' | 'reason'
> {
  method: string;
  path: string;
  /** Name of the error that answers, or would. */
  errorType: string;
}

/** The refusals that share one line a second. */
export function refusalKey(refused: RefusedRequest): string {
  return `${refused.plugin} ${refused.outcome} ${refused.reason}`;
}

/** @param omitted - how many like it were left out of the log before it */
export function logRefusal(
  logger: LoggerService,
  { outcome, ...meta }: RefusedRequest,
  omitted: number,
): void {
  logger.info(
    outcome === 'would-refuse'
      ? 'API gate would have refused a request'
      : 'API gate refused a request',
    omitted > 0 ? { ...meta, omitted } : meta,
  );
}

/** The path below the plugin, for reports. */
export function pathOf({ path }: DecidedRequest): string {
  // A target such as `foo://any/api/x` has none.
  return withoutQuery(path ?? '');
}
