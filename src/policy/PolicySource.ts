import { isDeepStrictEqual } from 'node:util';
import type {
  LoggerService,
  RootConfigService,
} from '@backstage/backend-plugin-api';
import { isError } from '@backstage/errors';
import {
  ApiGateConfig,
  CONFIG_KEY,
  ReadOptions,
} from '../config/readApiGateConfig';
import { findListSources, ListSource } from '../config/configFiles';
import { readExternalSubjects } from '../config/readExternalTokens';
import { findRemovedTokens } from '../config/readTokens';
import { Requirements } from '../config/requirements';
import { readPolicyConfig } from './checkExpectations';
import { callAt, createForwardClock } from '../util/time';
import { MAX_LINE_BYTES, shorten } from '../util/logLine';
import { Policy } from './Policy';

const REMIND_MS = 60 * 60 * 1000;

/** The settings that replace report-only when it ends. */
const ENFORCED = { mode: 'enforce', until: undefined } as const;

/** The result of a change of the configuration. */
export type ReloadOutcome = { policy: Policy } | { problem: string };

/**
 * Holds the current policy and reloads it when the configuration changes. An invalid change is rejected and logged hourly until
 * it is fixed; settings that can't change at run time keep their values until the next start.
 */
export class PolicySource {
  readonly #logger: LoggerService;
  readonly #requirements: Requirements;
  /** The subjects of the external tokens that Backstage accepts until a restart. */
  readonly #namedAtStart: readonly string[];
  // All policies share it, so that a rule that has ended stays closed when the configuration is read again.
  readonly #clock = createForwardClock();
  readonly #onEnforced: (() => void)[] = [];
  readonly #onReload: ((outcome: ReloadOutcome) => void)[] = [];
  #current: Policy;
  #lists: readonly ListSource[];
  #problem: string | undefined;
  #needsRestart: string[] = [];
  #cancelUntil = () => {};
  #reminder: NodeJS.Timeout | undefined;
  #hasEnforced = false;

  /** @throws InputError if the configuration is invalid, which stops the start */
  constructor(
    options: { config: RootConfigService; logger: LoggerService } & ReadOptions,
  ) {
    const { config, logger } = options;
    this.#logger = logger;
    this.#requirements = new Requirements(config);
    this.#namedAtStart = readExternalSubjects(config).named;
    const read = readPolicyConfig(config, options);
    this.#current = new Policy(this.#requirements.applyTo(read), this.#clock);
    this.#lists = findListSources(config);
    config.subscribe?.(() => this.#reload(config, options));
  }

  /** The current policy. Callers take it once per request. */
  get current(): Policy {
    return this.#current;
  }

  /** The reason why the current configuration is not in force; `undefined` if it is. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** The files that hold the lists in force. */
  get lists(): readonly ListSource[] {
    return this.#lists;
  }

  /** Config paths whose new value takes effect after a restart. */
  get needsRestart(): readonly string[] {
    return this.#needsRestart;
  }

  /** Registers a callback for the time when the gate first enforces: immediately, unless it starts in report-only. */
  onEnforced(callback: () => void): void {
    this.#onEnforced.push(callback);
    if (this.#hasEnforced) {
      callback();
    }
  }

  onReload(callback: (outcome: ReloadOutcome) => void): void {
    this.#onReload.push(callback);
  }

  /** Starts the reminders about report-only and the timer for its end. */
  start(): void {
    this.#update();
    this.#reminder = setInterval(() => this.#remind(), REMIND_MS).unref();
  }

  stop(): void {
    this.#cancelUntil();
    clearInterval(this.#reminder);
  }

  #reload(config: RootConfigService, options: ReadOptions) {
    let read: ApiGateConfig;
    try {
      read = readPolicyConfig(config, options);
    } catch (error) {
      const problem = isError(error) ? error.message : String(error);
      if (problem !== this.#problem) {
        this.#problem = problem;
        this.#logProblem('new configuration', problem);
        this.#onReload.forEach(callback => callback({ problem }));
      }
      return;
    }
    const before = this.#current.config;
    const after = this.#requirements.applyTo(this.#applicable(read, config));
    const isFixed = this.#problem !== undefined;
    this.#problem = undefined;
    this.#lists = findListSources(config);
    if (isFixed || !isDeepStrictEqual(before, after)) {
      const policy = new Policy(after, this.#clock);
      this.#current = policy;
      this.#logger.info(
        `API gate has a new policy: ${after.mode}, ${after.allow.length} allow rule(s)`,
        { policy: policy.hash },
      );
      this.#logRemovedRules(before, after);
      this.#update();
      this.#onReload.forEach(callback => callback({ policy }));
    }
  }

  #logRemovedRules(before: ApiGateConfig, after: ApiGateConfig) {
    // In report-only mode no rule has opened a barrier yet, and the gate closes nothing.
    if (!this.#hasEnforced) {
      return;
    }
    for (const { plugin, path, unmet } of before.allow) {
      const isKept = after.allow.some(
        rule => rule.plugin === plugin && rule.path === path && !rule.unmet,
      );
      if (!isKept && !unmet) {
        this.#logger.info(
          `API gate has closed ${path} of the plugin ${plugin}; the plugin's own auth policy behind it stays open until a restart`,
        );
      }
    }
  }

  /** Returns the parts of a new configuration that can take effect before a restart. */
  #applicable(read: ApiGateConfig, config: RootConfigService): ApiGateConfig {
    const before = this.#current.config;
    const { cookie, fasterServer, tokenCache } = before;
    const { credentialHeader, foreignAuthorization } = before;
    const headers = { credentialHeader, foreignAuthorization };
    const kept = { cookie, ...headers, fasterServer, tokenCache };
    // Backstage accepts an external token that was removed until a restart. It must not lose its limits before.
    const removed = findRemovedTokens(before, read, this.#namedAtStart, config);
    const after = { ...read, ...kept, tokens: [...read.tokens, ...removed] };
    // The parts of the gate that use these are made, or checked, at the start.
    const needsRestart = (Object.keys(kept) as (keyof typeof kept)[])
      .filter(key => !isDeepStrictEqual(after[key], read[key]))
      .map(key => `${CONFIG_KEY}.${key}`);
    if (removed.length > 0) {
      needsRestart.push('backend.auth.externalAccess');
    }
    needsRestart.push(...this.#requirements.findAdded(read));
    // Allow rules have opened the credentials barriers of plugins, and barriers can't be closed again.
    if (this.#hasEnforced && read.mode === 'report-only') {
      Object.assign(after, ENFORCED);
      if (!new Policy(read).isEnforced) {
        needsRestart.push(`${CONFIG_KEY}.mode`);
      }
    }
    if (!isDeepStrictEqual(needsRestart, this.#needsRestart)) {
      this.#needsRestart = needsRestart;
      needsRestart.forEach(path =>
        this.#logger.warn(
          `${path} has changed, and takes effect after a restart`,
        ),
      );
    }
    return after;
  }

  /** Runs the callbacks once the gate enforces, and otherwise waits for the end of report-only. */
  #update() {
    this.#cancelUntil();
    const { until } = this.#current.config;
    if (this.#current.isEnforced) {
      if (!this.#hasEnforced) {
        this.#hasEnforced = true;
        this.#endReportOnly();
        this.#onEnforced.forEach(callback => callback());
      }
      return;
    }
    this.#remind();
    if (until) {
      this.#cancelUntil = callAt(+until, () => this.#update());
    }
  }

  /** Ends report-only permanently, even if the clock is set back: the credentials barriers of plugins are open from now on. */
  #endReportOnly() {
    const { config } = this.#current;
    if (config.mode === 'report-only') {
      this.#current = new Policy({ ...config, ...ENFORCED }, this.#clock);
      this.#logger.warn(
        `API gate refuses from now on: ${CONFIG_KEY}.until has passed`,
      );
    }
  }

  #remind() {
    const { config, isEnforced } = this.#current;
    if (!isEnforced) {
      this.#logger.warn(
        `API gate refuses only locked users and ended sessions: ${CONFIG_KEY}.mode is report-only${
          config.until ? ` until ${config.until.toISOString()}` : ''
        }`,
      );
    }
    if (this.#problem) {
      this.#logProblem('configuration', this.#problem);
    }
  }

  #logProblem(what: string, problem: string) {
    // A message may name a key of the configuration, which has any length.
    this.#logger.error(
      `API gate keeps its policy, as the ${what} is wrong: ${shorten(problem, MAX_LINE_BYTES)}`,
    );
  }
}
