import { DAY_MS } from '../util/time';

/** The number of days of which requests are counted, today included. */
export const DAYS_COUNTED = 30;

/** Names one method of an allow rule, an external token, or, as `start`, the record of use itself. */
export interface Used {
  kind: 'rule' | 'token' | 'start';
  /** Method, plugin and path of a rule, such as `GET hello/health`; the subject of a token. */
  name: string;
}

/** How something was used. Days are numbers of days since the epoch, in UTC. */
export interface Use {
  /** The time of the last request, in milliseconds since the epoch. */
  lastUsed?: number;
  /** The number of requests by day, and how many of these had no credential. */
  days: Record<string, [requests: number, withoutCredential: number]>;
  /** The last day of a request by plugin, for tokens. */
  plugins: Record<string, number>;
}

export function keyOf({ kind, name }: Used): string {
  return `${kind} ${name}`;
}

export function dayOf(milliseconds: number): number {
  return Math.floor(milliseconds / DAY_MS);
}

/** Returns the sum of two records. Days that are not counted any more are left out. */
export function joinUses(a: Use, b: Use | undefined): Use {
  const today = dayOf(Date.now());
  const joined: Use = {
    lastUsed: Math.max(a.lastUsed ?? 0, b?.lastUsed ?? 0) || undefined,
    days: {},
    plugins: { ...a.plugins },
  };
  for (const days of [a.days, b?.days ?? {}]) {
    for (const [day, [requests, withoutCredential]] of Object.entries(days)) {
      if (Number(day) > today - DAYS_COUNTED) {
        const sum = (joined.days[day] ??= [0, 0]);
        sum[0] += requests;
        sum[1] += withoutCredential;
      }
    }
  }
  for (const [plugin, day] of Object.entries(b?.plugins ?? {})) {
    joined.plugins[plugin] = Math.max(joined.plugins[plugin] ?? 0, day);
  }
  return joined;
}

export function emptyUse(): Use {
  return { days: {}, plugins: {} };
}
