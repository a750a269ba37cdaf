import type { Decision } from '../decision/Decision';

/** How often a decision was made since the start. */
export interface DecisionCount {
  plugin: string;
  outcome: Decision['outcome'];
  reason: Decision['reason'];
  count: number;
}

/** What would have been refused, in report-only. */
export interface WouldRefuse {
  plugin: string;
  method: string;
  /** The first segment of the path below the plugin, or `…` if that is odd. */
  segment: string;
  count: number;
}

const MAX_WOULD_REFUSE = 500;

// What a plugin's route may look like. Anything else is a scanner's, and of no use to an operator.
const USUAL_SEGMENT = /^[A-Za-z0-9\-._~]{1,64}$/;

/** Counts decisions. Bounded: plugins are installed ones or one value, and what a client can make up is capped. */
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

  /** How many more would have been refused that are not told apart. */
  get uncounted(): number {
    return this.#uncounted;
  }

  /** @param plugin - id of an installed plugin, or the one value for all others */
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
