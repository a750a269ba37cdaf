import type { Knex } from 'knex';
import { sleep } from '../../http';
import { ROLES } from './World';

const SAMPLE_MS = 250;

/** The largest numbers of sessions that PostgreSQL had of a role. */
export interface Most {
  sessions: number;
  /** The sessions whose last statement is about the gate's table. */
  gate: number;
  /** The sessions of the gate that wait for a lock. */
  waiting: number;
}

/** Watches `pg_stat_activity`. */
export class Activity {
  #isOver = false;
  readonly #most = new Map<string, Most>();
  readonly #watching: Promise<void>;

  constructor(private readonly database: Knex) {
    this.#watching = this.#watch();
  }

  async stop(): Promise<(role: (typeof ROLES)[number]) => Most> {
    this.#isOver = true;
    await this.#watching;
    return role => this.#most.get(role) ?? { sessions: 0, gate: 0, waiting: 0 };
  }

  async #watch() {
    while (!this.#isOver) {
      const { rows } = await this.database.raw(`
        with of_roles as (
          select usename, wait_event_type,
            query like '%api_gate_%' as is_gate
          from pg_stat_activity where usename in ('${ROLES.join("', '")}')
        )
        select usename, count(*) as sessions,
          count(*) filter (where is_gate) as gate,
          count(*) filter (where is_gate and wait_event_type = 'Lock') as waiting
        from of_roles group by usename`);
      for (const { usename, ...counts } of rows) {
        const most = this.#most.get(usename);
        const larger = (name: keyof Most) =>
          Math.max(Number(counts[name]), most?.[name] ?? 0);
        this.#most.set(usename, {
          sessions: larger('sessions'),
          gate: larger('gate'),
          waiting: larger('waiting'),
        });
      }
      await sleep(SAMPLE_MS);
    }
  }
}
