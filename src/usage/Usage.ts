import type { LoggerService } from '@backstage/backend-plugin-api';
import type { AllowRule } from '../config/AllowRule';
import type { ExternalToken } from '../config/readExternalTokens';
import type { PolicySource } from '../policy/PolicySource';
import { FailureLog } from '../revocation/FailureLog';
import type { GateDatabase } from '../util/GateDatabase';
import { withTimeout } from '../util/time';
import { PendingUses } from './PendingUses';
import { Subjects } from './Subjects';
import { emptyUse, joinUses, keyOf, Use, Used } from './Use';
import { UsageRow, UsageTable } from './UsageTable';

// A use is in the reports of other replicas after twice this time at most: one writes, and then another reads.
const INTERVAL_MS = 40_000;

// If no replica has written for longer, none was up, and nothing was observed.
const MAX_GAP_MS = 2 * INTERVAL_MS;

const START_TIMEOUT_MS = 6_000;
const STOP_TIMEOUT_MS = 5_000;
const ATTEMPTS_AT_STOP = 3;

/** The row that has the time of all observation. */
const START: Used = { kind: 'start', name: '' };

/** How something was used, as far as this replica knows. */
export interface KnownUse extends Use {
  /** How long a replica was up that had it in its configuration, in milliseconds. */
  observedMs: number;
}

/**
 * Counts which rules and external tokens are used. Requests add to the memory of this process only. A timer writes to the
 * database, where the replicas add up, and reads from it; while the database is down, the counts wait.
 */
export class Usage {
  readonly #log: FailureLog;
  readonly #startedAt = new Date();
  readonly #pending = new PendingUses();
  readonly #subjects: Subjects;
  #database: GateDatabase | undefined;
  #table: UsageTable | undefined;
  #hasWarned = false;
  #rows = new Map<string, UsageRow>();
  #syncedAt: number | undefined;
  #syncing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(
    private readonly options: {
      logger: LoggerService;
      source: Pick<PolicySource, 'current'>;
      externalTokens: readonly ExternalToken[];
    },
  ) {
    this.#subjects = new Subjects(options.externalTokens);
    this.#log = new FailureLog(options.logger, {
      failing:
        'API gate can not store which rules and tokens are used: it counts in memory meanwhile, and its report is not complete',
      again: 'API gate stores again which rules and tokens are used',
    });
  }

  get isOn(): boolean {
    return this.options.source.current.config.usage !== undefined;
  }

  /** Whether the counts of all replicas are added up in a database. */
  get isShared(): boolean {
    return this.#database !== undefined;
  }

  /** Whether the report has all requests since the first start, but for those of the last minute and a half. */
  get isComplete(): boolean {
    return (
      !this.#pending.hasDropped &&
      this.#syncedAt !== undefined &&
      performance.now() - this.#syncedAt < 3 * INTERVAL_MS
    );
  }

  /** The first start with a record of use. Without a database, the start of this process. */
  get since(): Date {
    const start = this.#rows.get(keyOf(START));
    return start ? new Date(start.createdAt) : this.#startedAt;
  }

  /** The external tokens that the configuration names, and the subjects of others that were used. */
  get tokens(): (Pick<ExternalToken, 'subject'> & Partial<ExternalToken>)[] {
    const { externalTokens } = this.options;
    const used = [...this.#rows.values(), ...this.#pending.used]
      .filter(({ kind }) => kind === 'token')
      .map(({ name }) => name);
    const others = new Set(used);
    externalTokens.forEach(({ subject }) => others.delete(subject));
    return [...externalTokens, ...[...others].map(subject => ({ subject }))];
  }

  ruleUsed(rule: AllowRule, method: string, isAnonymous: boolean): void {
    if (this.isOn) {
      const listed = rule.methods.includes(method) ? method : 'GET';
      this.#pending.addRequest(usedOf(rule, listed), { isAnonymous });
    }
  }

  /** @param plugin - id of an installed plugin, or the label for all others */
  tokenUsed(subject: string, plugin: string): void {
    if (this.isOn) {
      const name = this.#subjects.nameOf(subject);
      const request = { isAnonymous: false, plugin };
      this.#pending.addRequest({ kind: 'token', name }, request);
    }
  }

  of(used: Used): KnownUse {
    const row = this.#rows.get(keyOf(used));
    return {
      ...joinUses(row?.use ?? emptyUse(), this.#pending.get(used)),
      observedMs: row?.observedMs ?? 0,
    };
  }

  /** Starts to share the counts in a database. Resolves after the first exchange, and after six seconds at the latest. */
  async follow(database: GateDatabase): Promise<void> {
    this.#database = database;
    await withTimeout(this.#run(), START_TIMEOUT_MS, 'No answer').catch(
      () => {},
    );
  }

  /** Writes the last counts, for five seconds at most. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    const writeAll = async () => {
      for (let i = 0; i < ATTEMPTS_AT_STOP && this.#pending.size > 0; i += 1) {
        await this.sync();
      }
    };
    await withTimeout(writeAll(), STOP_TIMEOUT_MS, 'No answer').catch(() => {});
  }

  /** Writes to the database and reads from it, once. Simultaneous calls run one after the other. */
  sync(): Promise<void> {
    this.#syncing = this.#syncing
      .catch(() => {})
      .then(async () => {
        const { usage } = this.options.source.current.config;
        if (this.#database && usage) {
          await this.#exchange(await this.#open(this.#database), usage.keepMs);
          this.#syncedAt = performance.now();
        }
      });
    return this.#syncing;
  }

  async #run(): Promise<void> {
    try {
      await this.sync();
      this.#log.succeeded();
    } catch (error) {
      // The table may be gone: look for it again, unless the database does not answer.
      if ((error as Error).name !== 'KnexTimeoutError') {
        this.#table = undefined;
      }
      this.#log.failed(error);
    }
    if (!this.#isStopped) {
      this.#timer = setTimeout(() => this.#run(), INTERVAL_MS);
      this.#timer.unref();
    }
  }

  async #open(database: GateDatabase): Promise<UsageTable> {
    try {
      this.#table ??= await UsageTable.create(database);
      return this.#table;
    } catch (error) {
      if (!this.#hasWarned) {
        this.#hasWarned = true;
        this.options.logger.warn(
          `API gate keeps no record of which rules and tokens are used. ${(error as Error).message}`,
        );
      }
      throw error;
    }
  }

  async #exchange(table: UsageTable, keepMs: number): Promise<void> {
    const now = await table.now();
    const read = await table.read();
    const rows = new Map(read.map(row => [keyOf(row), row]));
    this.#subjects.setRecorded(
      read.filter(({ kind }) => kind === 'token').map(({ name }) => name),
    );
    const observed = [
      START,
      ...this.#configured(),
      ...this.#pending.used.map(used => this.#recorded(used)),
    ];
    const missing = observed.filter(used => !rows.has(keyOf(used)));
    for (const row of await table.insert(missing, now)) {
      rows.set(keyOf(row), row);
    }
    await table.observe(observed, now, MAX_GAP_MS);
    this.#rows = rows;
    await this.#pending.write(async (used, use) => {
      // A rule or token that was used for the first time meanwhile has its row after the next exchange.
      const row = rows.get(keyOf(this.#recorded(used)));
      const added = row && (await table.add(row, use));
      if (added) {
        rows.set(keyOf(added), added);
      }
      return added !== undefined;
    });
    await table.removeUnseen(now - keepMs);
  }

  /** Names a token anew, since other replicas may have recorded as many subjects as there may be. */
  #recorded({ kind, name }: Used): Used {
    return {
      kind,
      name: kind === 'token' ? this.#subjects.nameOf(name) : name,
    };
  }

  #configured(): Used[] {
    const { allow } = this.options.source.current.config;
    return [
      ...allow.flatMap(rule =>
        rule.methods.map(method => usedOf(rule, method)),
      ),
      ...this.options.externalTokens.map(({ subject }): Used => ({
        kind: 'token',
        name: subject,
      })),
    ];
  }
}

/** Names a rule by what it opens: its place in the list and its reason may change. */
export function usedOf({ plugin, path }: AllowRule, method: string): Used {
  return { kind: 'rule', name: `${method} ${plugin}${path}` };
}
