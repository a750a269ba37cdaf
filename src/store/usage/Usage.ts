import type { LoggerService } from '@backstage/backend-plugin-api';
import { map } from 'lodash';
import type { AllowRule } from '../../gate/rules/AllowRule';
import type { ExternalToken } from '../../settings/read/readExternalTokens';
import type { PolicySource } from '../../settings/PolicySource';
import type { DatabaseConnections } from '../DatabaseConnections';
import { poll } from '../poll';
import { RateLimit } from '../../gate/util/RateLimit';
import { withTimeout } from '../../gate/util/time';
import { UsageNames } from './UsageNames';
import { UsageTable } from './UsageTable';
import {
  addDay,
  Count,
  dayOf,
  formatDay,
  keyOf,
  listConfigured,
  TokenCall,
  Use,
  Used,
  usedBy,
  usedCall,
  usedRule,
  usedWorked,
  WorkedRequest,
} from './Use';

// A use is in the reports of other replicas after twice the longer time at most: one writes, and then another reads. The time varies, so
// that replicas do not stay in step.
const MIN_INTERVAL_MS = 30_000;
const MAX_INTERVAL_MS = 40_000;

const START_TIMEOUT_MS = 6_000;
const STOP_TIMEOUT_MS = 5_000;

/**
 * Counts which rules and external tokens are used. Requests add to the memory of this process only. A timer adds the counts to those in
 * the database, and reads the sums of all processes; while the database is down, the counts wait. The day of a request is the day of the
 * exchange after it, by the database's clock.
 */
export class Usage {
  readonly #names: UsageNames;
  /** The requests that are not known to be in the database. Its size is limited as that of the record is. */
  readonly #pending = new Map<string, Count>();
  /** The uses that the last exchange read, and what it wrote. */
  #recorded = new Map<string, Use>();
  /** The day of the last exchange, and 0 before the first one. */
  #day = 0;
  readonly #warnings = new RateLimit({ max: 1, intervalMs: 3_600_000 });
  #table: UsageTable | undefined;
  #hasTable = false;
  #isStored = false;
  #syncing: Promise<void> = Promise.resolve();
  readonly #stopping = new AbortController();

  constructor(
    private readonly options: {
      logger: LoggerService;
      source: Pick<PolicySource, 'current'>;
      externalTokens: readonly ExternalToken[];
    },
  ) {
    const subjects = map(options.externalTokens, 'subject');
    this.#names = new UsageNames(new Set(subjects));
  }

  get isOn(): boolean {
    return this.options.source.current.config.usage;
  }

  /** Whether the counts of all replicas are added up in a database. */
  get isShared(): boolean {
    return this.#table !== undefined;
  }

  /** Whether the last exchange has succeeded. */
  get isComplete(): boolean {
    return this.#isStored;
  }

  get externalTokens(): readonly ExternalToken[] {
    return this.options.externalTokens;
  }

  /** The day of the last exchange by the database's clock, and until then today by the clock of this process. */
  get day(): number {
    return this.#day || dayOf(Date.now());
  }

  ruleUsed(rule: AllowRule, method: string, isAnonymous: boolean): void {
    const listed = rule.methods.includes(method) ? method : 'GET';
    this.#add(usedRule(rule, listed), isAnonymous);
  }

  /** @param plugin - id of an installed plugin that the token, or a handler for it, has called; or the label for all others */
  tokenUsed(
    subject: string,
    plugin: string,
    kind: 'token' | 'delegation' = 'token',
  ): void {
    this.#add(usedBy(kind, subject, plugin));
  }

  /** Counts a request by a token, if the configuration names its subject: there may be any number of others. */
  tokenCalled(call: TokenCall): void {
    if (this.#names.subjects.has(call.subject)) {
      this.#add(usedCall(call));
    }
  }

  /** Counts a request that report-only let pass, and that worked. */
  worked(request: WorkedRequest): void {
    this.#add(usedWorked(request));
  }

  /** Returns the use of each rule and token by {@link keyOf}, with the requests of this process up to now. */
  read(): Map<string, Use> {
    const uses = new Map(this.#recorded);
    for (const count of this.#pending.values()) {
      addDay(uses, { ...count, day: this.day }, this.day);
    }
    return uses;
  }

  /** Starts to share the counts in a database. Resolves after the first exchange, and after six seconds at the latest. */
  async follow(database: DatabaseConnections): Promise<void> {
    this.#table = new UsageTable(database);
    const polling = poll(() => this.sync(), {
      intervalMs: () =>
        MIN_INTERVAL_MS + (MAX_INTERVAL_MS - MIN_INTERVAL_MS) * Math.random(),
      signal: this.#stopping.signal,
      log: {
        logger: this.options.logger,
        failing:
          'API gate can not store which rules and tokens are used: it counts in memory meanwhile, and its report is not complete',
        again: 'API gate stores again which rules and tokens are used',
      },
    });
    await withTimeout(polling, START_TIMEOUT_MS, 'No answer').catch(() => {});
  }

  /** Writes the last counts, for five seconds at most. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const writing = withTimeout(this.sync(), STOP_TIMEOUT_MS, 'No answer');
    await writing.catch(() => {});
  }

  /** Writes to the database and reads from it, once. Simultaneous calls run one after the other. */
  sync(): Promise<void> {
    this.#syncing = this.#syncing.catch(() => {}).then(() => this.#exchange());
    return this.#syncing;
  }

  async #exchange(): Promise<void> {
    const table = this.#table;
    if (!table || !this.isOn) {
      return;
    }
    try {
      if (!this.#hasTable) {
        await table.create();
        this.#hasTable = true;
      }
      await this.#beginDay(table);
      await this.#write(table, [...this.#pending.values()]);
      this.#recorded = await table.read(this.#day);
      this.#names.setRecorded(this.read().values());
      await this.#write(table, this.#notYetInForce());
      this.#isStored = true;
    } catch (error) {
      if (!this.#hasTable && this.#warnings.take('table') === 0) {
        this.options.logger.warn(
          `API gate keeps no record of which rules and tokens are used. ${(error as Error).message}`,
        );
      }
      // The table may be gone.
      this.#hasTable = false;
      this.#isStored = false;
      throw error;
    }
  }

  /**
   * Begins a new day by the database's clock. If that clock and the clock of this process are days apart, one of them is wrong. A day that
   * is not over would then begin, and days would be deleted that the reports need. So the day stays as it is until the clocks agree.
   */
  async #beginDay(table: UsageTable): Promise<void> {
    const [today, here] = [await table.today(), dayOf(Date.now())];
    if (Math.abs(today - here) <= 1) {
      // The clock of another database that takes over may be behind.
      this.#day = Math.max(this.#day, today);
      return;
    }
    if (this.#warnings.take('clock') === 0) {
      this.options.logger.warn(
        `API gate begins no day in its record of use, and deletes none: it is ${formatDay(today)} by the clock of the auth plugin's database, and ${formatDay(here)} by the clock of this process. Set the clock that is wrong`,
      );
    }
    if (this.#day === 0) {
      throw new Error('The day is not known');
    }
  }

  /** Lists the rules and tokens in force that have no row today. A count of 0 records that they are in force. */
  #notYetInForce(): Count[] {
    const { externalTokens, source } = this.options;
    return listConfigured(source.current, externalTokens)
      .filter(used => this.#recorded.get(keyOf(used))?.lastDay !== this.#day)
      .map(used => ({ ...used, requests: 0, anonymous: 0 }));
  }

  /** Adds counts to the table. If no answer to a statement arrives, it is sent again, and its requests may be counted twice. */
  async #write(table: UsageTable, counts: Count[]): Promise<void> {
    await table.add(this.#day, counts, row => {
      addDay(this.#recorded, row, row.day);
      const pending = this.#pending.get(keyOf(row));
      if (pending) {
        // Further requests may have been added meanwhile.
        pending.requests -= row.requests;
        pending.anonymous -= row.anonymous;
        if (pending.requests === 0) {
          this.#pending.delete(keyOf(row));
        }
      }
    });
  }

  #add(named: Used, isAnonymous = false): void {
    if (!this.isOn) {
      return;
    }
    const used = this.#names.limit(named);
    const key = keyOf(used);
    let pending = this.#pending.get(key);
    pending ??= { ...used, requests: 0, anonymous: 0 };
    this.#pending.set(key, pending);
    pending.requests += 1;
    pending.anonymous += Number(isAnonymous);
  }
}
