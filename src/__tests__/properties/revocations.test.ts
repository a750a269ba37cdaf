import type { LoggerService } from '@backstage/backend-plugin-api';
import fc from 'fast-check';
import { checkProperty } from '../__testUtils__/checkProperty';
import { SimulatedTable } from '../__testUtils__/SimulatedTable';
import { DatabaseRevocationStore } from '../../store/revocations/DatabaseRevocationStore';
import type { Revocation, SessionClaims } from '../../gate/sessions/Revocation';
import { Revocations } from '../../store/revocations/Revocations';

jest.setTimeout(120_000);

const isLong = process.env.PROPERTIES === 'long';
// A run with a million rows takes about two minutes: PROPERTIES=long ROWS_A_DAY=1008000 .ci/properties/run revocations
const ROWS_A_DAY = Number(process.env.ROWS_A_DAY ?? 100_800);
const POLL_MS = 2_000;
// The limit covers the next poll, and the half second after which a replica without a list retries.
const WITHIN_MS = POLL_MS + 500;
const STEP_MS = 1_000;
const MINUTE_MS = 60_000;
/** A full reading begins after ten minutes, and reads a thousand rows every two seconds. */
const FOUND_AGAIN_MS = 10 * MINUTE_MS + 10 * POLL_MS;
const REPLICAS = 2;

const logger = {
  warn: () => {},
  info: () => {},
} as unknown as LoggerService;

/** A replica, which may be restarted, and may lose the database for a while. */
class Replica {
  #revocations!: Revocations;
  #startedAt!: number;
  #goneUntil = -Infinity;

  constructor(private readonly table: SimulatedTable) {
    this.start();
  }

  /** The time since which the replica has reached the database without interruption. */
  get reachableSince(): number {
    return Math.max(this.#startedAt, this.#goneUntil);
  }

  start() {
    this.#revocations?.stop();
    this.#startedAt = Date.now();
    this.#revocations = new Revocations({
      logger,
      pollIntervalMs: POLL_MS,
    });
    const store = new DatabaseRevocationStore(this.table);
    const unlessGone = <T>(answer: () => Promise<T>) =>
      Date.now() < this.#goneUntil
        ? Promise.reject(new Error('gone'))
        : answer();
    this.#revocations.follow({
      read: cursor => unlessGone(() => store.read(cursor)),
      add: revocation => unlessGone(() => store.add(revocation)),
      removeExpired: () => unlessGone(() => store.removeExpired()),
    });
  }

  loseDatabase(milliseconds: number) {
    this.#goneUntil = Math.max(this.#goneUntil, Date.now() + milliseconds);
  }

  revoke(revocation: Revocation): Promise<boolean> {
    return this.#revocations.revoke(revocation);
  }

  get isLoaded(): boolean {
    return this.#revocations.isLoaded;
  }

  refuses(claims: SessionClaims): boolean {
    const { isLoaded } = this.#revocations;
    return !isLoaded || this.#revocations.isRevoked(claims);
  }

  stop() {
    this.#revocations.stop();
  }
}

const seconds = (min: number, max: number) =>
  fc.integer({ min, max }).map(each => each * 1_000);
const replica = fc.nat(REPLICAS - 1);
const moment = seconds(1, 6 * 60);

/** Generates events of a deployment. The delay of a commit and of a clock, together, is less than the overlap of two minutes. */
const events = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        type: fc.constant('sign-out' as const),
        at: moment,
        scope: fc.constantFrom('session' as const, 'user' as const),
        user: fc.nat(5),
        commitMs: fc.oneof(fc.constant(0), seconds(0, 25)),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        type: fc.constant('sign-out until' as const),
        at: moment,
        user: fc.nat(1),
        replica,
        seconds: fc.constantFrom(1, 3, 60, 86_400),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        type: fc.constant('very late' as const),
        at: moment,
        commitMs: seconds(30, 5 * 60),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constant('sign-out at' as const),
        at: moment,
        replica,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        type: fc.constant('database gone' as const),
        at: moment,
        replica,
        forMs: seconds(1, 150),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        type: fc.constant('restart' as const),
        at: moment,
        replica,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        type: fc.constant('clock' as const),
        at: moment,
        offsetMs: fc.constantFrom(-45_000, 0, 45_000),
      }),
    },
  ),
  { maxLength: 40 },
);

interface Due {
  claims: SessionClaims;
  /** The time from which every replica that reaches the database must refuse the session. */
  from: number;
}

describe('a sign-out', () => {
  // A run that the time limit has interrupted would continue otherwise.
  let isOver = false;
  beforeEach(() => {
    isOver = false;
    jest.useFakeTimers({ now: new Date('2026-06-01T00:00:00Z') });
  });
  afterEach(() => {
    isOver = true;
    jest.useRealTimers();
  });

  /** @returns the claims of a token that a revocation of the scope refuses */
  function claimsFor(user: string, lifetimeSeconds = 3600): SessionClaims {
    const iat = Math.floor(Date.now() / 1000);
    return { sub: `user:default/${user}`, iat, exp: iat + lifetimeSeconds };
  }

  it('is found among all the others of a day, and the list holds no more than what is live', async () => {
    const pollIntervalMs = 300_000;
    const [polls, perPoll] = isLong
      ? [24 * 12, ROWS_A_DAY / (24 * 12)]
      : [24, 200];
    const table = new SimulatedTable();
    const revocations = new Revocations({ logger, pollIntervalMs });
    await revocations.follow(new DatabaseRevocationStore(table));
    let expected: SessionClaims[] = [];
    const missed: SessionClaims[] = [];
    let most = 0;
    for (let poll = 0; poll < polls; poll += 1) {
      const added = Array.from({ length: perPoll }, (_, i) =>
        claimsFor(`${poll}-${i}`, 10 * 60),
      );
      added.forEach((claims, i) =>
        table.writeLate({ scope: 'session', ...claims }, (i % 3) * 10_000),
      );
      await jest.advanceTimersByTimeAsync(pollIntervalMs);
      missed.push(...expected.filter(claims => !revocations.isRevoked(claims)));
      expected = added;
      most = Math.max(most, revocations.size);
    }
    revocations.stop();
    expect(missed).toEqual([]);
    // The limit is ten minutes, five for clock skew, and the time until the next removal.
    expect(most).toBeLessThanOrEqual(5 * perPoll);
    expect(table.size).toBeLessThanOrEqual(7 * perPoll);
  }, 300_000);

  it('[P10][P80] is in force at every replica in time, whatever happens meanwhile', async () => {
    const property = fc.asyncProperty(
      events,
      fc.constantFrom(0, 999, 1_000, 2_500),
      async (happening, held) => {
        const table = new SimulatedTable();
        for (let i = 0; i < held; i += 1) {
          table.writeLate({ scope: 'session', ...claimsFor(`held-${i}`) }, 0);
        }
        await jest.advanceTimersByTimeAsync(5 * MINUTE_MS);
        const begunAt = Date.now();
        const replicas = Array.from(
          { length: REPLICAS },
          () => new Replica(table),
        );
        const due: Due[] = [];
        const happen = (event: (typeof happening)[number], i: number) => {
          const sub = `${'user' in event ? event.user : `only-${i}`}`;
          const claims = claimsFor(sub);
          switch (event.type) {
            case 'sign-out':
              table.writeLate(
                { scope: event.scope, ...claims },
                event.commitMs,
              );
              due.push({ claims, from: Date.now() + event.commitMs });
              break;
            case 'very late':
              table.writeLate({ scope: 'session', ...claims }, event.commitMs);
              due.push({
                claims,
                from: Date.now() + event.commitMs + FOUND_AGAIN_MS,
              });
              break;
            case 'sign-out at':
              // Without an answer, no caller has learned that the sign-out holds elsewhere.
              replicas[event.replica]
                .revoke({ scope: 'session', ...claims })
                .then(isStored => {
                  if (isStored) {
                    due.push({ claims, from: Date.now() });
                  }
                });
              expect(replicas[event.replica].refuses(claims)).toBe(true);
              break;
            case 'sign-out until': {
              // No later one takes anything back of it.
              const iat = claims.iat + event.seconds;
              const kept = { sub: `user:default/kept-out-${event.user}`, iat };
              const last = { ...kept, exp: iat + 3600 };
              replicas[event.replica]
                .revoke({ scope: 'user', ...kept, exp: iat + 86_400 })
                .then(isStored => {
                  if (isStored) {
                    due.push({ claims: last, from: Date.now() });
                  }
                });
              expect(replicas[event.replica].refuses(last)).toBe(true);
              break;
            }
            case 'database gone':
              replicas[event.replica].loseDatabase(event.forMs);
              break;
            case 'restart':
              replicas[event.replica].start();
              break;
            default:
              table.clockOffsetMs = event.offsetMs;
          }
        };

        const isVeryLate = happening.some(({ type }) => type === 'very late');
        const latest = isVeryLate
          ? 11 * MINUTE_MS + FOUND_AGAIN_MS
          : 9 * MINUTE_MS;
        for (let passed = 0; passed <= latest && !isOver; passed += STEP_MS) {
          happening.forEach((event, i) => {
            if (event.at === passed) {
              happen(event, i);
            }
          });
          await jest.advanceTimersByTimeAsync(STEP_MS);
          for (const each of replicas) {
            for (const { claims, from } of due) {
              const at = Date.now() - WITHIN_MS;
              if (
                at >= from &&
                at >= each.reachableSince &&
                !each.refuses(claims)
              ) {
                throw new Error(
                  `${claims.sub} is accepted ${(Date.now() - begunAt) / 1000} s after the start`,
                );
              }
            }
          }
        }
        replicas.forEach(each => each.stop());
      },
    );
    await checkProperty(property, { runs: 3, seconds: 15 });
  });
});
