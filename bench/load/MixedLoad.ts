import { randomBytes } from 'node:crypto';
import { Agent } from 'node:http';
import type { UserTokenClaims } from '../../src/__tests__/__testUtils__/signingKey';
import {
  rawUpgrade,
  RawUpgrade,
} from '../../src/__tests__/__testUtils__/rawUpgrade';
import { withTimeout } from '../../src/gate/util/time';
import { Answer, Credentials, send, signOut } from '../../integration/http';

/** Signs a user token as the backend under load would have issued it. */
type Sign = (claims: Partial<UserTokenClaims>) => Promise<string>;

/** The name of each kind of request, with the status that it gets with the gate and in a stock backend. */
const EXPECTED = {
  'sign-in': [200, 200],
  bearer: [200, 200],
  // A stock backend ignores the cookie.
  cookie: [200, 401],
  'public path': [200, 200],
  anonymous: [401, 401],
  garbage: [401, 401],
  'forged bearer': [401, 401],
  'forged cookie': [401, 401],
  'expired bearer': [401, 401],
  'expired cookie': [401, 401],
  'WebSocket by bearer': [101, 101],
  'WebSocket by cookie': [101, 401],
  'anonymous WebSocket': [401, 401],
  // The barrier of a stock backend refuses the call, which carries no credential of its own.
  'sign-out at a plugin': [204, 401],
  // The provider has no such route, so that the call ends the session and goes on to 404.
  'sign-out at auth': [404, 404],
  'bearer after the sign-out': [401, 200],
} as const;
type Kind = keyof typeof EXPECTED;

const FEED = '/api/live/feed';

/** Returns the path that the configuration of a number makes public. Paths recur, since barriers keep each that was opened. */
export const openPath = (number: number): string => `/open/${number % 3}`;

// The gate caches as many at most. The caches are full before anything is measured.
const CACHED_TOKENS = 20_000;
const CACHED_FAILURES = 1_000;
const AT_A_TIME = 4;

const SHORT_SESSION_S = 10;
const CLOSED_WITHIN_MS = 10_000;

/** The number of WebSockets that stay open during the whole run. */
const HELD = 4;

/** Sends the requests of users and attackers to one backend. */
export class MixedLoad {
  /** The number of requests and WebSocket handshakes that were answered. */
  answered = 0;
  /** Answers with an unexpected status. */
  readonly wrong = new Map<string, number>();
  readonly #keptOpen = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #held: RawUpgrade[] = [];
  #steady = '';
  #expired = '';
  #steps = 0;

  constructor(
    private readonly port: number,
    private readonly withGate: boolean,
    private readonly sign: Sign,
  ) {}

  /** Opens what stays open, and sends the requests that fill the caches. */
  async begin(): Promise<void> {
    const now = Math.floor(Date.now() / 1000);
    this.#steady = await this.sign({ sub: 'user:default/steady' });
    this.#expired = await this.sign({ iat: now - 7200, exp: now - 3600 });
    for (let i = 0; i < HELD; i += 1) {
      this.#held.push(await this.#openWebSocket('bearer', this.#steady));
    }
    await this.#repeat(this.withGate ? CACHED_TOKENS : 0, async i => {
      // As long as the tokens of sign-ins, which take their places.
      const sub = `user:default/cached-${i}`;
      const bearer = await this.sign({ sub, ent: [sub] });
      await this.#send('bearer', { bearer });
    });
    await this.#repeat(CACHED_FAILURES, () =>
      this.#send('forged bearer', { bearer: forge(this.#steady) }),
    );
  }

  end(): void {
    this.#held.forEach(webSocket => webSocket.destroy());
    this.#keptOpen.destroy();
  }

  /**
   * Sends about twenty requests, one after the other.
   *
   * @param reloads - the number of the configuration in force
   */
  async step(reloads: number): Promise<void> {
    this.#steps += 1;
    const sub = `user:default/visitor-${this.#steps}`;
    await this.#visit();
    await this.#sendRefused();
    await this.#send('public path', {
      path: `/api/hello${openPath(reloads)}`,
    });
    await this.#openAndCloseWebSockets();
    // The gate keeps a revocation until its session would have ended, so that two of three end soon anyway.
    if (this.#steps % 4 === 0) {
      await this.#signOut(
        this.#steps % 12 === 0 ? await this.#signIn() : await this.#short(sub),
        this.#steps % 8 === 0,
      );
    }
  }

  /** Opens WebSockets and signs their user out, with which the gate closes them. */
  async endWebSockets(): Promise<void> {
    const token = await this.#short('user:default/listener');
    const opened = [
      await this.#openWebSocket('bearer', token),
      await this.#openWebSocket('bearer', token),
    ];
    await this.#signOut(token, true);
    if (!this.withGate) {
      opened.forEach(webSocket => webSocket.destroy());
    }
    await withTimeout(
      Promise.all(opened.map(({ closed }) => closed)),
      CLOSED_WITHIN_MS,
      'The WebSockets of a user who has signed out stay open',
    );
  }

  /** Signs in and loads a page, whose images and links send the cookie. */
  async #visit() {
    const token = await this.#signIn();
    for (const agent of [undefined, this.#keptOpen]) {
      await this.#send('bearer', { bearer: token, agent });
      for (const cookie of [`token=${token}`, `token=${this.#steady}`]) {
        await this.#send('cookie', { cookie, agent });
      }
    }
  }

  async #sendRefused() {
    const forged = forge(this.#steady);
    const agent = this.#keptOpen;
    await this.#send('anonymous', {});
    await this.#send('anonymous', { agent });
    await this.#send('garbage', { bearer: randomBytes(30).toString('hex') });
    await this.#send('forged bearer', { bearer: forged, agent });
    await this.#send('forged cookie', { cookie: `token=${forged}` });
    await this.#send('expired bearer', { bearer: this.#expired });
    await this.#send('expired cookie', { cookie: `token=${this.#expired}` });
  }

  async #openAndCloseWebSockets() {
    // The gate's timer for a socket lasts as long as the session, and Node keeps a list for each duration until it is over.
    const token = await this.#short('user:default/reader');
    for (const kind of ['bearer', 'cookie'] as const) {
      const webSocket = await this.#openWebSocket(kind, token);
      webSocket.destroy();
    }
    this.#count('anonymous WebSocket', await rawUpgrade(this.port, FEED));
  }

  async #signIn(): Promise<string> {
    const path = '/api/auth/visitor/refresh';
    const { body } = await this.#send('sign-in', { path });
    return JSON.parse(body).backstageIdentity.token;
  }

  async #signOut(token: string, atPlugin: boolean) {
    const { port } = this;
    const cookie = `token=${token}`;
    if (atPlugin) {
      this.#count('sign-out at a plugin', await signOut(port, cookie));
    } else {
      await this.#send('sign-out at auth', {
        method: 'POST',
        path: '/api/auth/visitor/logout',
        headers: { 'Sec-Fetch-Site': 'same-origin' },
        cookie,
      });
    }
    await this.#send('bearer after the sign-out', { bearer: token });
  }

  async #openWebSocket(by: 'bearer' | 'cookie', token: string) {
    const lines =
      by === 'bearer'
        ? [`Authorization: Bearer ${token}`]
        : [`Cookie: token=${token}`, `Origin: http://localhost:${this.port}`];
    const webSocket = await rawUpgrade(this.port, FEED, lines);
    this.#count(`WebSocket by ${by}`, webSocket);
    return webSocket;
  }

  /** Signs the token of a session that ends soon. */
  #short(sub: string): Promise<string> {
    const iat = Math.floor(Date.now() / 1000);
    return this.sign({ sub, iat, exp: iat + SHORT_SESSION_S });
  }

  async #send(
    kind: Kind,
    options: Credentials & Parameters<typeof send>[1],
  ): Promise<Answer> {
    const answer = await send(this.port, options);
    this.#count(kind, answer);
    return answer;
  }

  #count(kind: Kind, { status }: { status: number }) {
    this.answered += 1;
    const [gate, stock] = EXPECTED[kind];
    const expected = this.withGate ? gate : stock;
    if (status !== expected) {
      const text = `${kind} has ${status} instead of ${expected}`;
      this.wrong.set(text, (this.wrong.get(text) ?? 0) + 1);
    }
  }

  async #repeat(count: number, run: (i: number) => Promise<unknown>) {
    let next = 0;
    const work = async () => {
      while (next < count) {
        next += 1;
        await run(next);
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, work));
  }
}

/** Replaces the signature of a token. */
function forge(token: string): string {
  const signed = token.slice(0, token.lastIndexOf('.'));
  return `${signed}.${randomBytes(64).toString('base64url')}`;
}
