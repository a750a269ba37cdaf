import type { LoggerService } from '@backstage/backend-plugin-api';
import type { JsonObject } from '@backstage/types';
import { isUndefined, omitBy, pick } from 'lodash';
import type { Outcome } from '../../gate/Decision';
import type { AnswerKind } from './Answer';
import { addPath, foldPath, Segments } from './rulePath';

const HOUR_MS = 3_600_000;

/** The number of kinds that are counted one by one: of those that worked in report-only, and as many of all others. */
const MAX_KINDS = 250;

/** The number of these of one plugin. Clients choose the paths, and those of one plugin take no place from another one's. */
const MAX_KINDS_OF_PLUGIN = 50;

/** Stands for the method and the reason of all further kinds of a plugin. */
export const OTHERS = 'others';

// The documents quote these messages, and searches in logs look for them.
const MESSAGES = {
  refused: ['API gate refused a request', 'API gate refused requests'],
  'would-refuse': [
    'API gate would have refused a request',
    'API gate would have refused requests',
  ],
};

const ADD_ENTRY =
  'add an entry with this subject, and with this request in only, to auth.apiGate.tokens';

/** A refusal, or one that report-only omits, without what no rule and no entry of `tokens` could name. */
export interface RefusalKind {
  plugin: string;
  outcome: Outcome;
  method: string;
  /** The path below the plugin, as a rule would name it; absent where no rule could. */
  path?: string;
  reason: string;
  detail?: string;
  /** The subject of an external token whose limits refuse the request. */
  subject?: string;
  /** In report-only: what came of the request. */
  answer?: AnswerKind;
}

/** Refusals of one kind since the start of the process. docs/reference/http-api.md describes each field. */
export interface RefusalCount extends RefusalKind {
  /** In report-only: the status of the last answer. */
  status?: number;
  requests: number;
  firstSeen: string;
  lastSeen: string;
  /** The id of the last one. */
  lastId: string;
}

interface Counted extends RefusalCount {
  /** The number of requests that are in lines of the log. */
  logged: number;
}

const FIELDS = [
  ...(['plugin', 'outcome', 'method', 'path', 'reason'] as const),
  ...(['detail', 'subject', 'answer'] as const),
];

/**
 * Counts the refusals of this process by their kind, and those that report-only omits. The first of each kind is a line of the log, and
 * further ones are a number in a line each hour. So neither a flood nor a frequent path hides another one.
 */
export class RefusalCounts {
  readonly since = new Date().toISOString();
  readonly #counts = new Map<string, Counted>();
  /** The paths that are counted one by one, by plugin, reason and answer. */
  readonly #paths = new Map<string, Segments>();
  /** The number of kinds that are counted one by one, also by plugin. */
  readonly #sizes = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;
  #isStopped = false;

  constructor(private readonly logger: Pick<LoggerService, 'info'>) {
    this.#timer = setInterval(() => this.#logGrown(), HOUR_MS);
    this.#timer.unref();
  }

  add(
    kind: RefusalKind,
    { id, status }: { id: string; status?: number },
  ): RefusalCount {
    const now = new Date().toISOString();
    const count = this.#counts.get(keyOf(kind)) ?? this.#find(kind, now);
    count.requests += 1;
    count.lastSeen = now;
    count.lastId = id;
    count.status = status;
    if (count.requests === 1 || this.#isStopped) {
      this.#log(count);
    }
    return count;
  }

  /** Returns copies, of which the most frequent kind is the first. */
  list(): RefusalCount[] {
    return [...this.#counts.values()]
      .map(({ logged: _, ...count }) => count)
      .sort((a, b) => b.requests - a.requests);
  }

  /** Logs what was counted since the last line, and each later refusal at once, since the process ends. */
  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
    this.#logGrown();
  }

  /** Returns the count of a kind that was not seen in this form: with fewer segments, or as one of the others if there is no place. */
  #find(kind: RefusalKind, now: string): Counted {
    const { plugin, outcome, method, path, reason, answer } = kind;
    const pathsOf = `${plugin} ${reason} ${answer}`;
    const paths = this.#paths.get(pathsOf);
    const folded = { ...kind, path: path && foldPath(method, path, paths) };
    const known = this.#counts.get(keyOf(folded));
    if (known) {
      return known;
    }
    const budget = answer === 'worked' ? 'worked' : 'other';
    const [ofPlugin = 0, ofAll = 0] = [`${budget} ${plugin}`, budget].map(
      group => this.#sizes.get(group),
    );
    if (ofAll >= MAX_KINDS || ofPlugin >= MAX_KINDS_OF_PLUGIN) {
      const others = {
        plugin,
        outcome,
        answer,
        method: OTHERS,
        reason: OTHERS,
      };
      return this.#counts.get(keyOf(others)) ?? this.#begin(others, now);
    }
    this.#sizes.set(`${budget} ${plugin}`, ofPlugin + 1);
    this.#sizes.set(budget, ofAll + 1);
    if (folded.path) {
      const counted = paths ?? new Map();
      this.#paths.set(pathsOf, counted);
      addPath(folded.path, counted);
    }
    return this.#begin(folded, now);
  }

  #begin(kind: RefusalKind, now: string): Counted {
    const seen = { firstSeen: now, lastSeen: now, lastId: '' };
    const count = { ...pick(kind, FIELDS), requests: 0, logged: 0, ...seen };
    this.#counts.set(keyOf(kind), count);
    return count;
  }

  #logGrown(): void {
    for (const count of this.#counts.values()) {
      if (count.requests > count.logged) {
        this.#log(count);
      }
    }
  }

  #log(count: Counted): void {
    const { outcome, ...kind } = pick(count, FIELDS);
    const { requests, logged, lastId: decision, status } = count;
    const grown = requests - logged;
    const [one, many] =
      MESSAGES[outcome === 'would-refuse' ? outcome : 'refused'];
    const remedy = kind.detail === 'no-entry' ? ADD_ENTRY : undefined;
    count.logged = requests;
    try {
      this.logger.info(
        grown === 1 ? one : many,
        omitBy(
          { ...kind, status, requests: grown, decision, remedy },
          isUndefined,
        ) as JsonObject,
      );
    } catch {
      // An exception in a timer would end the process.
    }
  }
}

function keyOf(kind: RefusalKind): string {
  return FIELDS.map(field => kind[field] ?? '').join('\n');
}
