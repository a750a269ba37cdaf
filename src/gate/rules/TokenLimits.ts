import { AllowRule, endOf } from './AllowRule';
import type { TokenEntry } from './GateSettings';
import { isUnambiguousPath } from '../read/requestLine';
import { AllowList } from './AllowList';
import type { Route } from './classifyRoute';

/** The part of a request that the limits of a token, and deny rules, depend on. */
export interface LimitedRequest extends Pick<Route, 'method' | 'path'> {
  pluginId: string;
  isUpgrade?: boolean;
}

/** Holds what the external tokens of a subject may do, and until when: the entries of `auth.apiGate.tokens`. They never open anything. */
export class TokenLimits {
  /** The end of the entry that ends last, and the requests that the entries allow until they end (`undefined`: all), by subject. */
  readonly #limits = new Map<string, { until: number; only?: AllowList }>();

  constructor(entries: readonly TokenEntry[]) {
    for (const { subject } of entries) {
      const own = entries.filter(entry => entry.subject === subject);
      this.#limits.set(subject, {
        until: Math.max(...own.map(endOf)),
        // The reader of the configuration has made sure that either all of them have it, or that there is one entry.
        only: own[0].only && new AllowList(own.flatMap(rulesOf)),
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
    const limit = this.#limits.get(subject);
    if (!limit) {
      return undefined;
    }
    if (limit.until <= now) {
      return 'token-ended';
    }
    return !limit.only || match(limit.only, request, now)
      ? undefined
      : 'restricted';
  }

  /** Returns a time until which the tokens of a subject may make a request, in milliseconds since 1970; `-Infinity` if they may not. */
  endFor(subject: string, request: LimitedRequest, now: number): number {
    const limit = this.#limits.get(subject);
    if (this.findRefusal(subject, request, now)) {
      return -Infinity;
    }
    const rule = limit?.only && match(limit.only, request, now);
    return rule ? endOf(rule) : (limit?.until ?? Infinity);
  }
}

/** The requests of an entry, as rules that end with it. */
function rulesOf({ only = [], until }: TokenEntry): AllowRule[] {
  return only.map(rule => ({ ...rule, until }));
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
