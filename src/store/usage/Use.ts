import { compact } from 'lodash';
import type { AllowRule } from '../../gate/rules/AllowRule';
import type { ExternalToken } from '../../settings/read/readExternalTokens';
import type { Policy } from '../../gate/rules/Policy';
import { DAY_MS } from '../../gate/util/time';

/** The number of days before today of which the record has requests. */
export const DAYS_KEPT = 30;

/** The number of days before today that are recent. */
export const RECENT_DAYS = 7;

/** Names one method of an allow rule, a token at one plugin, requests by a token, or requests that worked in report-only. */
export interface Used {
  /** `delegation`: a handler has asked for a token to call the plugin with the credentials of the external token. */
  kind: 'rule' | 'token' | 'call' | 'delegation' | 'worked';
  /**
   * Method, plugin and path of a rule, such as `GET hello/health`; the subject of a token; `ci GET /health` for requests by its token,
   * and `ci GET` where their path is not recorded; `GET /health 200` for requests that worked, `GET` without their path, and
   * `GET only ci` for those that presented a credential.
   */
  name: string;
  /** The plugin that was called, or where requests worked. Empty for a rule, and for the token itself. */
  plugin: string;
}

/** Records that a process was up in report-only, with a count of 0. */
export const REPORT_ONLY: Used = { kind: 'worked', name: '', plugin: '' };

export interface Count extends Used {
  requests: number;
  /** The number of these requests that presented no credential. */
  anonymous: number;
}

/** The requests of all processes on the last 30 days and today. Days are numbers of days since the epoch, in UTC. */
export interface Use extends Count {
  /** The number of days before today on which a process had it in its configuration. */
  days: number;
  /** The number of these days that are among the last seven. */
  recentDays: number;
  firstDay: number;
  lastDay: number;
  lastUsed: number | null;
}

const NO_REQUESTS = { requests: 0, anonymous: 0, lastUsed: null };
const NO_USE = { days: 0, recentDays: 0, ...NO_REQUESTS };

/** Names a rule by what it opens: its place in the list and its reason may change. */
export function usedRule({ plugin, path }: AllowRule, method: string): Used {
  return { kind: 'rule', name: `${method} ${plugin}${path}`, plugin: '' };
}

/** Names the use of external tokens with a subject. The plugin is empty where the configuration names the subject. */
export function usedBy(kind: Used['kind'], name: string, plugin = ''): Used {
  return { kind, name, plugin };
}

export interface WorkedRequest {
  plugin: string;
  method: string;
  /** The path below the plugin; absent where it may not be recorded. */
  path?: string;
  /** The status of the answer; absent where the path is. */
  status?: number;
  /** Why the credential that was presented would be refused; absent for requests that presented none. */
  reason?: string;
  /** The subject of the external token that was presented. */
  subject?: string;
}

export interface TokenCall {
  subject: string;
  plugin: string;
  method: string;
  /** The path below the plugin where it may be recorded; {@link ODD_PATH} for one that no rule matches. */
  path?: string;
}

/** Stands for a path that routers may read in different ways. */
export const ODD_PATH = '?';

export function usedCall({ subject, plugin, method, path }: TokenCall): Used {
  const name = `${subject} ${method}${path ? ` ${path}` : ''}`;
  return { kind: 'call', name, plugin };
}

/** Reads what {@link usedCall} has named. Subjects have no spaces. */
export function tokenCallOf({ name, plugin }: Used): TokenCall {
  const [subject, method = '', path] = name.split(' ');
  return { subject, plugin, method, path };
}

export function usedWorked(request: WorkedRequest): Used {
  const { plugin, method, path, status, reason, subject } = request;
  const answered = path ? [path, status] : [reason, reason && subject];
  const name = compact([method, ...answered]).join(' ');
  return { kind: 'worked', name, plugin };
}

/** Reads what {@link usedWorked} has named. A path begins with a slash, and no reason does. */
export function workedRequestOf({ name, plugin }: Used): WorkedRequest {
  const [method, second, third] = name.split(' ');
  return second?.startsWith('/')
    ? { plugin, method, path: second, status: Number(third) }
    : { plugin, method, reason: second, subject: third };
}

/** Lists what is in force, used or not. */
export function listConfigured(
  { config, isEnforced }: Pick<Policy, 'config' | 'isEnforced'>,
  externalTokens: readonly ExternalToken[],
): Used[] {
  return [
    ...(isEnforced ? [] : [REPORT_ONLY]),
    ...config.allow.flatMap(rule =>
      rule.methods.map(method => usedRule(rule, method)),
    ),
    ...externalTokens.flatMap(({ subject }) => [
      usedBy('token', subject),
      usedBy('delegation', subject),
      // Records on which days the requests of the token were recorded.
      usedBy('call', subject),
    ]),
  ];
}

export function keyOf({ kind, name, plugin }: Used): string {
  return `${kind}\n${plugin}\n${name}`;
}

export function dayOf(milliseconds: number): number {
  return Math.floor(milliseconds / DAY_MS);
}

/** Formats a day in UTC, such as `2026-11-28`. */
export function formatDay(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

/** Adds the requests of a day to the use of the same rule or token. Days are added in their order. */
export function addDay(
  uses: Map<string, Use>,
  { day, kind, name, plugin, requests, anonymous }: Count & { day: number },
  today: number,
): void {
  const key = keyOf({ kind, name, plugin });
  const none = { kind, name, plugin, firstDay: day, ...NO_USE };
  // A copy, because maps share their uses. With three spreads in it, it takes 15 times as long, for each of thousands of rows.
  const use: Use = { ...(uses.get(key) ?? none), lastDay: day };
  uses.set(key, use);
  use.requests += requests;
  use.anonymous += anonymous;
  use.lastUsed = requests > 0 ? day : use.lastUsed;
  if (day < today) {
    use.days += 1;
    use.recentDays += Number(day >= today - RECENT_DAYS);
  }
}
