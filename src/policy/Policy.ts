import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { ApiGateConfig } from '../config/readApiGateConfig';
import { AllowRule, endOf, isSubtree, prefixOf } from '../config/AllowRule';
import { isObject } from '../config/values';
import { AllowList } from './AllowList';
import { createCrossSiteCheck } from '../http/browsers';
import { TokenLimits } from './TokenLimits';

const HASH_LENGTH = 12;

/** The configuration that requests are decided by. Each request takes the policy once, so that its decision never mixes two. */
export class Policy {
  readonly allowList: AllowList;
  readonly tokenLimits: TokenLimits;
  /** Whether the gate ignores the cookies of a request, since another site's page made the browser send them. */
  readonly isCrossSite: (req: IncomingMessage, asMethod?: string) => boolean;
  readonly #trustedPaths: AllowList;
  readonly #foreignPaths: { plugin: string; pattern: RegExp }[];

  readonly loadedAt = new Date();
  #hash: string | undefined;

  /** @param now - returns the time by which allow rules and external tokens end, in milliseconds since 1970 */
  constructor(
    readonly config: ApiGateConfig,
    readonly now: () => number = Date.now,
  ) {
    this.allowList = new AllowList(config.allow, now);
    this.tokenLimits = new TokenLimits(config.tokens, now);
    this.isCrossSite = createCrossSiteCheck(config.trustedOrigins);
    this.#trustedPaths = new AllowList(
      config.trustedPaths.map(trusted => ({ ...trusted, methods: ['GET'] })),
    );
    this.#foreignPaths = config.foreignAuthorization.map(foreign => ({
      plugin: foreign.plugin,
      pattern: new RegExp(
        `^${prefixOf(foreign).replaceAll('.', '\\.')}${isSubtree(foreign) ? '([/?]|$)' : '/*([?]|$)'}`,
        'i',
      ),
    }));
  }

  /** Returns whether `auth.apiGate.cookie.trustedPaths` names an unambiguous path, for any request method. */
  isTrustedPath(plugin: string, path: string): boolean {
    return this.#trustedPaths.match(plugin, 'GET', path) !== undefined;
  }

  /**
   * Returns whether Express may serve a path by a handler that `auth.apiGate.foreignAuthorization` names: in any letter case, and
   * with a slash at its end. A path that Express can't read is foreign at each plugin that has a foreign path.
   */
  isForeignPath(plugin: string, path: string | undefined): boolean {
    return this.#foreignPaths.some(
      foreign =>
        foreign.plugin === plugin &&
        (path === undefined || foreign.pattern.test(path)),
    );
  }

  /** Identifies the policy. Replicas with the same settings in force have the same hash. */
  get hash(): string {
    return (this.#hash ??= hashPolicy(this.config));
  }

  get openRules(): AllowRule[] {
    const now = this.now();
    return this.config.allow.filter(rule => now < endOf(rule));
  }

  get isEnforced(): boolean {
    return isEnforced(this.config);
  }
}

/** Returns whether the gate enforces refusals: always in `enforce`, and in report-only once it has ended. */
export function isEnforced({ mode, until }: ApiGateConfig): boolean {
  return mode === 'enforce' || (until !== undefined && Date.now() >= +until);
}

/** Returns 12 hex digits that identify the settings that decide about requests. The order of keys does not matter. */
function hashPolicy(config: ApiGateConfig): string {
  const { acceptedFindings, fasterServer, ...settings } = config;
  return createHash('sha256')
    .update(JSON.stringify(settings, toCanonical))
    .digest('hex')
    .slice(0, HASH_LENGTH);
}

function toCanonical(_key: string, value: unknown): unknown {
  if (value instanceof Set) {
    return [...value].sort();
  }
  return isObject(value)
    ? Object.entries(value)
        .filter(([, child]) => child !== undefined)
        .sort(([a], [b]) => (a < b ? -1 : 1))
    : value;
}
