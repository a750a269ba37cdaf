import { isDeepStrictEqual } from 'node:util';
import type {
  LoggerService,
  RootConfigService,
} from '@backstage/backend-plugin-api';
import { differenceBy, over } from 'lodash';
import {
  ApiGateConfig,
  CONFIG_KEY,
  readApiGateConfig,
  ReadOptions,
} from './read/readApiGateConfig';
import { checkBlockSources, findBlockSources } from './files/blockSources';
import { findListSources, ListSource } from './files/configFiles';
import { callAt } from '../gate/util/time';
import { MAX_LINE_BYTES, shorten } from './logLine';
import { ConfigChanges } from './files/ConfigChanges';
import { ConfiguredPolicy } from './ConfiguredPolicy';
import { AFTER_REPORT_ONLY, StartSettings } from './StartSettings';

const REMIND_MS = 60 * 60 * 1000;

export type ReloadOutcome = { policy: ConfiguredPolicy } | { problem: string };

/**
 * Creates a clock that never goes back, in milliseconds since 1970. If the clock of the machine is set back, it stands still
 * until that clock is there again, so that nothing that has ended begins anew.
 */
function createForwardClock(): () => number {
  let latest = -Infinity;
  return () => {
    latest = Math.max(latest, Date.now());
    return latest;
  };
}

/**
 * Holds the current policy and reloads it when the configuration changes. An invalid change, and one that takes `auth.apiGate` or its
 * `tokens` away, is rejected and logged hourly until it is fixed; settings that can't change at run time keep their values until the next start.
 */
export class PolicySource {
  readonly #start: StartSettings;
  readonly #changes: ConfigChanges;
  // All policies share it, so that a rule that has ended stays closed when the configuration is read again.
  readonly #clock = createForwardClock();
  readonly #onEnforced: (() => void)[] = [];
  readonly #onReload: ((outcome: ReloadOutcome) => void)[] = [];
  #current: ConfiguredPolicy;
  #lists: readonly ListSource[];
  #blockSources: ReturnType<typeof findBlockSources>;
  #problem: string | undefined;
  #needsRestart: string[] = [];
  #cancelUntil = () => {};
  #reminder: NodeJS.Timeout | undefined;
  #hasEnforced = false;

  /** @throws InputError if the configuration is invalid, which stops the start */
  constructor(
    private readonly options: {
      config: RootConfigService;
      logger: LoggerService;
    } & ReadOptions,
  ) {
    const { config, logger } = options;
    const read = readApiGateConfig(config, options);
    this.#start = new StartSettings(config);
    this.#current = new ConfiguredPolicy(read, this.#clock);
    this.#lists = findListSources(config);
    this.#blockSources = findBlockSources(config);
    this.#changes = new ConfigChanges(config, (changed, unreadable) => {
      try {
        this.#reload(changed, unreadable);
      } catch (error) {
        logger.error(
          'API gate failed to follow its configuration',
          error as Error,
        );
      }
    });
  }

  /** The current policy. Callers take it once per request. */
  get current(): ConfiguredPolicy {
    return this.#current;
  }

  /** The reason why the current configuration is not in force; `undefined` if it is. */
  get problem(): string | undefined {
    return this.#problem;
  }

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
    this.#changes.stop();
    this.#cancelUntil();
    clearInterval(this.#reminder);
  }

  #reload(config: RootConfigService, unreadable: string[]) {
    let read: ApiGateConfig;
    try {
      checkBlockSources(this.#blockSources, config, unreadable);
      read = readApiGateConfig(config, this.options);
      this.#start.assertWebhookSecrets(read);
    } catch (error) {
      const problem = (error as Error).message;
      if (problem !== this.#problem) {
        this.#problem = problem;
        this.#logProblem('new configuration', problem);
        over(this.#onReload)({ problem });
      }
      this.#changes.lookAgain();
      return;
    }
    const before = this.#current.config;
    const { after, needsRestart } = this.#start.apply(read, {
      before,
      hasEnforced: this.#hasEnforced,
    });
    this.#reportNeedsRestart(needsRestart);
    const isFixed = this.#problem !== undefined;
    this.#problem = undefined;
    this.#lists = findListSources(config);
    this.#blockSources = findBlockSources(config);
    if (isFixed || !isDeepStrictEqual(before, after)) {
      const policy = new ConfiguredPolicy(after, this.#clock);
      this.#current = policy;
      this.options.logger.info(
        `API gate has a new policy: ${after.mode}, ${after.allow.length} allow rule(s)`,
        { policy: policy.hash },
      );
      this.#logRemovedRules(before, after);
      this.#update();
      over(this.#onReload)({ policy });
    }
  }

  #logRemovedRules(before: ApiGateConfig, after: ApiGateConfig) {
    // In report-only mode no rule has opened a barrier yet, and the gate closes nothing.
    if (!this.#hasEnforced) {
      return;
    }
    const closed = differenceBy(
      before.allow,
      after.allow,
      rule => rule.plugin + rule.path,
    );
    for (const { plugin, path } of closed) {
      this.options.logger.info(
        `API gate has closed ${path} of the plugin ${plugin}; the plugin's own auth policy behind it stays open until a restart`,
      );
    }
  }

  #reportNeedsRestart(needsRestart: string[]) {
    if (!isDeepStrictEqual(needsRestart, this.#needsRestart)) {
      this.#needsRestart = needsRestart;
      for (const path of needsRestart) {
        this.options.logger.warn(
          `${path} has changed, and takes effect after a restart`,
        );
      }
    }
  }

  /** Runs the callbacks once the gate enforces, and otherwise waits for the end of report-only. */
  #update() {
    this.#cancelUntil();
    const { until } = this.#current.config;
    if (this.#current.isEnforced) {
      if (!this.#hasEnforced) {
        this.#hasEnforced = true;
        this.#endReportOnly();
        over(this.#onEnforced)();
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
      this.#current = new ConfiguredPolicy(
        { ...config, mode: 'enforce' },
        this.#clock,
      );
      this.options.logger.warn(
        `API gate enforces, since report-only has ended at ${config.until!.toISOString()}: ${AFTER_REPORT_ONLY}`,
      );
    }
  }

  #remind() {
    const { config, isEnforced } = this.#current;
    if (!isEnforced) {
      this.options.logger.warn(
        `API gate refuses only ended sessions: ${CONFIG_KEY}.mode is report-only${config.until ? ` until ${config.until.toISOString()}` : ''}`,
      );
    }
    if (this.#problem) {
      this.#logProblem('configuration', this.#problem);
    }
  }

  #logProblem(what: string, problem: string) {
    // A message may name a key of the configuration, which has any length.
    this.options.logger.error(
      `API gate keeps its policy, as the ${what} is wrong: ${shorten(problem, MAX_LINE_BYTES)}`,
    );
  }
}
