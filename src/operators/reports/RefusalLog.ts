import type { LoggerService } from '@backstage/backend-plugin-api';
import type { JsonObject } from '@backstage/types';
import { isUndefined, omitBy } from 'lodash';
import type { GateAudit } from './GateAudit';
import type { ReportedRefusal } from './Refusals';

const SECOND_MS = 1_000;

const ADD_ENTRY =
  'add an entry with this subject, and with this request in only, to auth.apiGate.tokens';

// A kind names a plugin and a reason. A client can cause all of them in turn.
const MAX_KINDS = 100;
const OTHER_KINDS = '…';

// Once the ids have so many bytes, they are logged before the second ends, so that they fit a line of the log.
const MAX_ID_BYTES = 4_000;

/** The refusals of one kind since the last line. */
interface Pending {
  beganAt: number;
  latest?: { refusal: ReportedRefusal; error: Error; label: string };
  /** The number of refusals before `latest`. */
  omitted: number;
  /** Their ids, without those that were logged by themselves. */
  ids: string[];
  idBytes: number;
  timer: NodeJS.Timeout;
}

/**
 * Reports refusals to the log and to the audit: the first of each kind at once, then the latest of each second, with the number and the
 * ids of the refusals that were left out before it. The last second of a flood is reported too, so that no refusal is lost silently.
 */
export class RefusalLog {
  readonly #pending = new Map<string, Pending>();
  #isStopped = false;

  constructor(
    private readonly options: { logger: LoggerService; audit?: GateAudit },
  ) {}

  add(refusal: ReportedRefusal, error: Error): void {
    const { plugin, outcome, reason, detail = '', id } = refusal;
    const kind = `${plugin} ${outcome} ${reason} ${detail}`.trim();
    const hasOwnLine =
      this.#pending.has(kind) || this.#pending.size < MAX_KINDS;
    const line = hasOwnLine ? kind : OTHER_KINDS;
    // Timers may be late: a second that is over ends here, as its timer would end it.
    const last = this.#pending.get(line);
    if (last && Date.now() - last.beganAt >= SECOND_MS) {
      this.#end(line);
    }
    const pending = this.#pending.get(line);
    if (!pending) {
      this.#begin(line);
      this.#report(refusal, error);
      return;
    }
    if (pending.latest) {
      const { label } = pending.latest;
      pending.omitted += 1;
      pending.ids.push(label);
      pending.idBytes += label.length + 3;
    }
    const label = hasOwnLine ? id : `${id} ${kind}`;
    pending.latest = { refusal, error, label };
    if (pending.idBytes > MAX_ID_BYTES) {
      pending.idBytes = 0;
      this.options.logger.info('API gate refused many requests', {
        refusals: line,
        omittedDecisions: pending.ids.splice(0),
      });
    }
  }

  /** Reports the refusals that wait for their second to end, and each later one at once, since the process ends. */
  stop(): void {
    this.#isStopped = true;
    for (const line of this.#pending.keys()) {
      this.#end(line);
    }
  }

  #begin(line: string): void {
    if (!this.#isStopped) {
      const timer = setTimeout(() => this.#end(line), SECOND_MS);
      timer.unref();
      const nothing = { omitted: 0, ids: [], idBytes: 0 };
      this.#pending.set(line, { beganAt: Date.now(), timer, ...nothing });
    }
  }

  /** Ends a second. Another one begins if there is something to report. */
  #end(line: string): void {
    const { latest, omitted, ids, timer } = this.#pending.get(line)!;
    clearTimeout(timer);
    this.#pending.delete(line);
    if (latest) {
      this.#begin(line);
      try {
        this.#report(latest.refusal, latest.error, omitted, ids);
      } catch {
        // An exception in a timer would end the process.
      }
    }
  }

  #report(
    refusal: ReportedRefusal,
    error: Error,
    omitted = 0,
    omittedDecisions: string[] = [],
  ): void {
    const { plugin, outcome, reason, method, path } = refusal;
    const { detail, id: decision, subject, userAgent } = refusal;
    const { audit, logger } = this.options;
    const meta = { plugin, reason, method };
    const clientAddress = refusal.address;
    const identity = omitBy(
      { detail, decision, subject, clientAddress, userAgent },
      isUndefined,
    ) as JsonObject;
    logger.info(
      outcome === 'would-refuse'
        ? 'API gate would have refused a request'
        : 'API gate refused a request',
      {
        ...meta,
        path,
        errorType: error.name,
        ...identity,
        ...(detail === 'no-entry' && { remedy: ADD_ENTRY }),
        ...(omitted > 0 && { omitted, omittedDecisions }),
      },
    );
    if (outcome === 'refused') {
      audit?.refused(plugin, { ...meta, omitted, ...identity });
    }
  }
}
