import { map, max, maxBy, uniq } from 'lodash';
import { LRUCache } from 'lru-cache';
import { AllowRule, endOf } from './AllowRule';
import type { TokenEntry } from './GateSettings';
import { isUnambiguousPath } from '../read/requestLine';
import { AllowList } from './AllowList';
import type { Route } from './classifyRoute';

/** The part of a request that the limits of a token depend on. */
export type LimitedRequest = Omit<Route, 'isInstalled'>;

/** The sum of the entries for one subject. */
interface Limit {
  /** The latest end of an entry that allows anything; `Infinity` if there is none. */
  until: number;
  /** The latest end of an entry that allows every request; `-Infinity` if there is none. */
  allUntil: number;
  /** The requests that the other entries allow until they end. */
  only: AllowList;
}

const NO_ENTRY = limitOf([]);

/**
 * Holds what external tokens may do, and until when: the entries of `auth.apiGate.tokens`. Each entry adds to the others, so that an
 * entry that is lost allows nothing. Without the setting, external tokens may do what Backstage lets them do.
 */
export class TokenLimits {
  /** By the subject of entries. */
  readonly #limits = new Map<string, Limit>();
  /** By other subjects, each of which is compared with the defaults once. An issuer may have any number of subjects. */
  readonly #others = new LRUCache<string, Limit>({
    max: 1_000,
    memoMethod: subject => {
      // The longest default begins with each shorter one, and so has what they allow.
      const longest = maxBy(this.#entriesFor(subject), 'subject.length');
      return this.#limits.get(longest?.subject ?? '') ?? NO_ENTRY;
    },
  });

  constructor(private readonly entries: readonly TokenEntry[] | undefined) {
    for (const subject of uniq(map(entries, 'subject'))) {
      this.#limits.set(subject, limitOf(this.#entriesFor(subject)));
    }
  }

  get isUnlimited(): boolean {
    return this.entries === undefined;
  }

  /** Returns whether an entry is for a subject, be it one that allows nothing. */
  hasEntry(subject: string): boolean {
    return this.#find(subject) !== NO_ENTRY;
  }

  /** Returns whether the tokens of a subject have reached their `until`, whatever request they would make. */
  hasEnded(subject: string, now: number): boolean {
    return !this.isUnlimited && this.#find(subject).until <= now;
  }

  /** Returns why the tokens of a subject may not make a request; `undefined` if they may. */
  findRefusal(
    subject: string,
    request: LimitedRequest,
    now: number,
  ): 'restricted' | 'token-ended' | undefined {
    if (this.endFor(subject, request, now) > now) {
      return undefined;
    }
    return this.hasEnded(subject, now) ? 'token-ended' : 'restricted';
  }

  /** Returns a time until which the tokens of a subject may make a request, in milliseconds since 1970; `-Infinity` if they may not. */
  endFor(subject: string, request: LimitedRequest, now: number): number {
    if (this.isUnlimited) {
      return Infinity;
    }
    const { allUntil, only } = this.#find(subject);
    const rule = match(only, request, now);
    const end = Math.max(allUntil, rule ? endOf(rule) : -Infinity);
    return end > now ? end : -Infinity;
  }

  #find(subject: string): Limit {
    return this.#limits.get(subject) ?? this.#others.memo(subject);
  }

  #entriesFor(subject: string): TokenEntry[] {
    return entriesFor(subject, this.entries ?? []);
  }
}

/** Returns the entries for a subject: its own, and the defaults, which end with `*` after a text that the subject begins with. */
export function entriesFor<T extends Pick<TokenEntry, 'subject'>>(
  subject: string,
  entries: readonly T[],
): T[] {
  return entries.filter(
    ({ subject: other }) =>
      other === subject ||
      (other.endsWith('*') && subject.startsWith(other.slice(0, -1))),
  );
}

function limitOf(entries: readonly TokenEntry[]): Limit {
  const endsOf = (some: readonly TokenEntry[]) => max(some.map(endOf));
  return {
    until: endsOf(entries.filter(({ only }) => only.length > 0)) ?? Infinity,
    allUntil: endsOf(entries.filter(({ only }) => only === 'all')) ?? -Infinity,
    only: new AllowList(entries.flatMap(rulesOf)),
  };
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
