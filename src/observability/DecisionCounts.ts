import type { Decision } from '../decision/Decision';

/** The number of equal decisions since the start. */
export interface DecisionCount {
  plugin: string;
  outcome: Decision['outcome'];
  reason: Decision['reason'];
  count: number;
}

/** The number of similar requests that would have been refused, in report-only. */
export interface WouldRefuse {
  plugin: string;
  method: string;
  /** The first segment of the path below the plugin, or `…` if routes do not look like it. */
  segment: string;
  count: number;
}

const MAX_WOULD_REFUSE = 500;

// Routes of plugins look like this. Other paths come from scanners, and are of no use to an operator.
const USUAL_SEGMENT = /^[A-Za-z0-9\-._~]{1,64}$/;

/** Counts decisions. The memory is bounded: all plugins that are not installed share one id, and paths of requests are capped. */
export class DecisionCounts {
  readonly #decisions = new Map<string, DecisionCount>();
  readonly #wouldRefuse = new Map<string, WouldRefuse>();
  #uncounted = 0;

  get decisions(): DecisionCount[] {
    return [...this.#decisions.values()];
  }

  get wouldRefuse(): WouldRefuse[] {
    return [...this.#wouldRefuse.values()];
  }

  /** The number of requests that would have been refused beyond those in `wouldRefuse`. */
  get uncounted(): number {
    return this.#uncounted;
  }

  /** @param plugin - id of an installed plugin, or the label for all others */
  add(
    plugin: string,
    { outcome, reason }: Decision,
    request: { method: string; path: string },
  ): void {
    const key = `${plugin} ${outcome} ${reason}`;
    const known = this.#decisions.get(key);
    if (known) {
      known.count += 1;
    } else {
      this.#decisions.set(key, { plugin, outcome, reason, count: 1 });
    }
    if (outcome === 'would-refuse') {
      this.#addWouldRefuse(plugin, request);
    }
  }

  #addWouldRefuse(
    plugin: string,
    { method, path }: { method: string; path: string },
  ) {
    const first = path.split('/', 2)[1] ?? '';
    const segment = first === '' || USUAL_SEGMENT.test(first) ? first : '…';
    const key = `${plugin} ${method} ${segment}`;
    const known = this.#wouldRefuse.get(key);
    if (known) {
      known.count += 1;
    } else if (this.#wouldRefuse.size < MAX_WOULD_REFUSE) {
      this.#wouldRefuse.set(key, { plugin, method, segment, count: 1 });
    } else {
      this.#uncounted += 1;
    }
  }
}
