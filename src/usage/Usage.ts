import type { LoggerService } from '@backstage/backend-plugin-api';
import type { AllowRule } from '../config/AllowRule';
import type { ExternalToken } from '../config/readExternalTokens';
import type { PolicySource } from '../policy/PolicySource';
import type { DatabaseConnections } from '../util/DatabaseConnections';
import { atOnce, Pieces } from '../util/pieces';
import { poll } from '../util/poll';
import { withTimeout } from '../util/time';
import { UsageNames } from './UsageNames';
import { UsageTable } from './UsageTable';
import {
  addTo,
  Count,
  dayOf,
  keyOf,
  listConfigured,
  sumUp,
  TokenCall,
  Use,
  Used,
  usedBy,
  usedRule,
  WorkedRequest,
} from './Use';

// A use is in the reports of other replicas after twice the longer time at most: one writes, and then another reads. The time varies, so
// that replicas do not stay in step.
const MIN_INTERVAL_MS = 30_000;
const MAX_INTERVAL_MS = 40_000;

const START_TIMEOUT_MS = 6_000;
const STOP_TIMEOUT_MS = 5_000;

// More than the rules and tokens of a configuration, and of its versions while the database is down.
const MAX_PENDING = 10_000;

/**
 * Counts which rules and external tokens are used. Requests add to the memory of this process only. A timer writes the counts to the
 * database, and reads those of all processes; while the database is down, they wait. The day of a request is that of the exchange after
 * it, by the database's clock.
 */
export class Usage {
  readonly #names: UsageNames;
  /** The requests since the last exchange. */
  readonly #pending = new Map<string, Count>();
  /** The requests of this process on the day of the last exchange. */
  readonly #counts = new Map<string, Count>();
  readonly #unwritten = new Set<Count>();
  /** The requests of all other processes and days. */
  #recorded: Use[] = [];
  /** The day of the last exchange, and 0 before the first one. */
  #day = 0;
  #tidiedOn: number | undefined;
  #table: UsageTable | undefined;
  #hasTable = false;
  #hasWarned = false;
  #hasDropped = false;
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
    this.#names = new UsageNames(
      options.externalTokens.map(({ subject }) => subject),
    );
  }

  get isOn(): boolean {
    return this.options.source.current.config.usage;
  }

  /** Whether the counts of all replicas are added up in a database. */
  get isShared(): boolean {
    return this.#table !== undefined;
  }

  /** Whether the last exchange has succeeded, and no request was left out since the start. */
  get isComplete(): boolean {
    return this.#isStored && !this.#hasDropped;
  }

  /** The external tokens that the configuration names. */
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
    this.#add(usedBy(kind, this.#names.subject(subject), plugin), false);
  }

  /** Counts a request by a token, if the configuration names its subject. */
  tokenCalled(call: TokenCall): void {
    const used = this.#names.call(call);
    if (used) {
      this.#add(used, false);
    }
  }

  /** Counts a request that report-only let pass, and that worked. */
  worked(request: WorkedRequest): void {
    this.#add(this.#names.worked(request), false);
  }

  /** Returns the use of each rule and token by {@link keyOf}, with the requests of this process up to now. */
  read(): Map<string, Use> {
    return atOnce(this.readInPieces());
  }

  /** As {@link read}. An exchange between two pieces changes nothing of the result. */
  readInPieces(): Pieces<Map<string, Use>> {
    const counts = [...this.#counts.values(), ...this.#pending.values()];
    return sumUp(this.#recorded, counts, this.day);
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
      this.#collect();
      await this.#write(table);
      this.#recorded = await table.read(this.#day);
      this.#names.setRecorded(this.read().values());
      if (this.#tidiedOn !== this.#day) {
        await table.tidy(this.#day);
        this.#tidiedOn = this.#day;
      }
      this.#isStored = true;
    } catch (error) {
      if (!this.#hasTable && !this.#hasWarned) {
        this.#hasWarned = true;
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

  /** Begins a new day by the database's clock. Counts of yesterday that the last exchange could not write are written first. */
  async #beginDay(table: UsageTable): Promise<void> {
    const today = await table.today();
    if (today === this.#day + 1) {
      await this.#write(table);
    }
    // The clock of another database that takes over may be behind.
    if (today > this.#day) {
      // Counts of an earlier day may be part of a sum by now: see `UsageTable.tidy`.
      this.#hasDropped ||= this.#unwritten.size > 0;
      this.#unwritten.clear();
      this.#counts.clear();
      this.#day = today;
    }
  }

  /** Adds the pending requests to the counts of the day. A count of 0 records that a rule or token is in force. */
  #collect(): void {
    const { externalTokens, source } = this.options;
    for (const used of listConfigured(source.current, externalTokens)) {
      if (!this.#counts.has(keyOf(used))) {
        const none = { requests: 0, anonymous: 0 };
        this.#unwritten.add(addTo(this.#counts, { ...used, ...none }));
      }
    }
    for (const count of this.#pending.values()) {
      this.#unwritten.add(addTo(this.#counts, count));
    }
    this.#pending.clear();
  }

  async #write(table: UsageTable): Promise<void> {
    await table.write(this.#day, this.#unwritten);
    this.#unwritten.clear();
  }

  #add(used: Used, isAnonymous: boolean): void {
    if (!this.isOn) {
      return;
    }
    if (this.#pending.size >= MAX_PENDING && !this.#pending.has(keyOf(used))) {
      this.#hasDropped = true;
      return;
    }
    addTo(this.#pending, {
      ...used,
      requests: 1,
      anonymous: isAnonymous ? 1 : 0,
    });
  }
}
