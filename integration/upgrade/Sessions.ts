import type { UserTokenClaims } from '../../src/__testUtils__/signingKey';
import {
  Credentials,
  gateCookieOf,
  send,
  signOut,
  sleep,
  until,
} from '../http';
import { expectEqual } from '../Report';
import type { Replica } from './Replica';

// The gate's default interval of polls, and the time that a replica may need beyond it.
const WITHIN_MS = 2_000 + 2_000;

// The number of refs makes a token longer than one cookie holds.
const MANY_GROUPS = Array.from(
  { length: 90 },
  (_, i) => `group:default/a-team-of-the-company-${i}`,
);

interface Session {
  /** How the session was opened and revoked. */
  story: string;
  credentials: Credentials[];
}

/** The sessions of a test: open ones, which every replica must let pass, and revoked ones, which every replica must refuse. */
export class Sessions {
  readonly wronglyRefused: string[] = [];
  readonly wronglyPassed: string[] = [];
  probes = 0;
  readonly #open: Session[] = [];
  readonly #revoked: Session[] = [];
  #users = 0;

  constructor(
    private readonly replicas: readonly Replica[],
    private readonly sign: (
      claims: Partial<UserTokenClaims>,
    ) => Promise<string>,
  ) {}

  /** Opens sessions at each replica: one with a short token, and one whose cookie has several parts. */
  async openAtEach(): Promise<void> {
    for (const replica of this.replicas) {
      for (const ent of [[], MANY_GROUPS]) {
        this.#open.push(await this.#openAt(replica, ent));
      }
    }
  }

  /**
   * Revokes at each replica a session by its cookie, and another user's sessions by the route. Waits until all replicas have
   * both.
   */
  async signOutAtEach(): Promise<void> {
    for (const replica of this.replicas) {
      const byCookie = await this.#openAt(replica);
      const { status } = await signOut(
        replica.port,
        byCookie.credentials[1].cookie!,
      );
      expectEqual(`sign-out at ${replica.label}`, status, 204);

      const everywhere = await this.#openAt(replica);
      const [{ bearer }] = everywhere.credentials;
      const [, payload] = bearer!.split('.');
      const { sub } = JSON.parse(Buffer.from(payload, 'base64url').toString());
      const answer = await send(replica.port, {
        method: 'POST',
        path: '/api/auth/api-gate/v1/revocations',
        headers: { 'Content-Type': 'application/json' },
        bearer,
        body: JSON.stringify({ userEntityRef: sub }),
      });
      expectEqual(`sign-out of all at ${replica.label}`, answer.status, 201);

      for (const session of [byCookie, everywhere]) {
        session.story += `, ended at ${replica.label}`;
        for (const other of this.replicas) {
          await until(
            `${other.label} refuses the session ${session.story}`,
            WITHIN_MS,
            async () =>
              (await send(other.port, session.credentials[0])).status === 401,
          );
        }
        this.#revoked.push(session);
      }
    }
  }

  /** Sends requests with each session to each running replica, repeatedly, until a change is over. */
  async whileProbing(change: () => Promise<void>): Promise<void> {
    let isOver = false;
    const probing = (async () => {
      while (!isOver) {
        await this.#askAll();
        await sleep(50);
      }
    })();
    try {
      await change();
    } finally {
      isOver = true;
      await probing;
    }
  }

  /** @throws Error unless each session is in its last known state */
  async expectAllAsTheyWere(): Promise<string> {
    await this.#askAll();
    expectEqual('refused though signed in', this.wronglyRefused, []);
    expectEqual('passed though signed out', this.wronglyPassed, []);
    return `${this.#open.length} open and ${this.#revoked.length} revoked sessions at ${this.replicas.map(({ label }) => label).join(' and ')}`;
  }

  async #openAt(replica: Replica, ent: string[] = []): Promise<Session> {
    this.#users += 1;
    const bearer = await this.sign({
      sub: `user:default/user-${this.#users}`,
      ent,
    });
    const answer = await send(replica.port, { bearer });
    const story = `of user ${this.#users}, opened at ${replica.label}`;
    expectEqual(`the session ${story}`, answer.status, 200);
    const cookie = gateCookieOf(answer);
    expectEqual(
      `the cookies of the session ${story}`,
      cookie.split('; ').length,
      ent.length > 0 ? 2 : 1,
    );
    return { story, credentials: [{ bearer }, { cookie }] };
  }

  async #askAll(): Promise<void> {
    for (const replica of this.replicas.filter(({ isUp }) => isUp)) {
      for (const [sessions, expected, wrong] of [
        [this.#open, 200, this.wronglyRefused],
        [this.#revoked, 401, this.wronglyPassed],
      ] as const) {
        for (const { story, credentials } of sessions) {
          for (const each of credentials) {
            const { label } = replica;
            const status = await send(replica.port, each).then(
              answer => answer.status,
              () => 'no connection',
            );
            // A load balancer sends no requests to a replica that was stopped meanwhile.
            if (replica.isUp && replica.label === label) {
              this.probes += 1;
              if (status !== expected) {
                wrong.push(
                  `${status} at ${label} for the ${Object.keys(each)} of the session ${story}`,
                );
              }
            }
          }
        }
      }
    }
  }
}
