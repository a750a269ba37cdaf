import { groupBy, maxBy, pick } from 'lodash';
import { LRUCache } from 'lru-cache';
import { AllowRule, endOf } from './AllowRule';
import type { TokenEntry } from './GateSettings';
import { isUnambiguousPath } from '../read/requestLine';
import { AllowList } from './AllowList';
import type { Route } from './classifyRoute';

/** The part of a request that the limits of a token depend on. */
export type LimitedRequest = Omit<Route, 'isInstalled'>;

/** Holds what external tokens may do, and until when: the entries of `auth.apiGate.tokens`. They never open anything. */
export class TokenLimits {
  /** By the subject of entries: their latest end, and the requests that they allow until they end (`undefined`: all). */
  readonly #limits = new Map<string, { until: number; only?: AllowList }>();
  /** By other subjects, each of which is compared with the defaults once. An issuer may have any number of subjects. */
  readonly #others = new LRUCache<string, { until: number; only?: AllowList }>({
    max: 1_000,
    memoMethod: subject =>
      this.#limits.get(findDefault(subject, this.entries)?.subject ?? '') ?? {
        until: Infinity,
      },
  });

  constructor(private readonly entries: readonly TokenEntry[]) {
    const bySubject = groupBy(withDefaults(entries), 'subject');
    for (const own of Object.values(bySubject)) {
      // The reader of the configuration has made sure that either all of them have requests, or that there is one entry.
      const isLimited = Array.isArray(own[0].only);
      this.#limits.set(own[0].subject, {
        until: Math.max(...own.map(endOf)),
        only: isLimited ? new AllowList(own.flatMap(rulesOf)) : undefined,
      });
    }
  }

  get isEmpty(): boolean {
    return this.#limits.size === 0;
  }

  /** Returns why the tokens of a subject may not make a request; `undefined` if they may. */
  findRefusal(
    subject: string,
    request: LimitedRequest,
    now: number,
  ): 'restricted' | 'token-ended' | undefined {
    const { only, until } = this.#find(subject);
    if (until <= now) {
      return 'token-ended';
    }
    return !only || match(only, request, now) ? undefined : 'restricted';
  }

  /** Returns a time until which the tokens of a subject may make a request, in milliseconds since 1970; `-Infinity` if they may not. */
  endFor(subject: string, request: LimitedRequest, now: number): number {
    if (this.findRefusal(subject, request, now)) {
      return -Infinity;
    }
    const { only, until } = this.#find(subject);
    const rule = only && match(only, request, now);
    return rule ? endOf(rule) : until;
  }

  #find(subject: string) {
    return this.#limits.get(subject) ?? this.#others.memo(subject);
  }
}

/** Finds the default of a subject: the entry with the longest text before `*` that the subject begins with. A default has a shorter default in turn. */
export function findDefault<T extends Pick<TokenEntry, 'subject'>>(
  subject: string,
  entries: readonly T[],
): T | undefined {
  const defaults = entries.filter(
    ({ subject: other }) =>
      other.endsWith('*') &&
      other !== subject &&
      subject.startsWith(other.slice(0, -1)),
  );
  return maxBy(defaults, 'subject.length');
}

/** Adds to each entry what it has from its default alone: `only`, or `until`. */
export function withDefaults(entries: readonly TokenEntry[]): TokenEntry[] {
  const defaults = entries.filter(({ subject }) => subject.endsWith('*'));
  const complete = (entry: TokenEntry): TokenEntry => {
    const outer = findDefault(entry.subject, defaults);
    const inherited = outer && pick(complete(outer), 'only', 'until');
    return { ...inherited, ...entry };
  };
  return entries.map(complete);
}

/** The requests of an entry, as rules that end with it. */
export function rulesOf({ only, until }: TokenEntry): AllowRule[] {
  return Array.isArray(only) ? only.map(rule => ({ ...rule, until })) : [];
}

function match(
  only: AllowList,
  { method, path, pluginId }: LimitedRequest,
  now: number,
): AllowRule | undefined {
  return path !== undefined && isUnambiguousPath(path)
    ? only.match(pluginId, method, path, now)
    : undefined;
}
