import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import path from 'node:path';
import { Answer, send, sleep } from '../../http';
import { expectEqual, Report } from '../../Report';
import type { World } from './World';

const WORKERS = 40;
const USERS = 20;
const SIGN_OUTS = 600;
const BEFORE_MS = 1_500;
const AFTER_MS = 500;
const ENDS_WITHIN_MS = 8_000;

/** The kinds of requests that a client sends, with their status before SIGTERM. */
const EXPECTED = { bearer: 200, cookie: 200, nobody: 401, 'sign-out': 204 };
type Kind = keyof typeof EXPECTED;

interface Sent {
  id: string;
  kind: Kind;
  /** The token of a sign-out. */
  token?: string;
  sentAt: number;
  endedAt: number;
  /** The answer; `undefined` without a complete one. */
  answer?: Answer;
}

/** Clients that send one request after the other, over kept and new connections, until they are stopped. */
class Load {
  readonly all: Sent[] = [];
  readonly #keptOpen = new Agent({ keepAlive: true });
  readonly #agents = [this.#keptOpen, new Agent({ keepAlive: false })];
  readonly #workers: Promise<void>[];
  #isOver = false;

  constructor(
    private readonly port: number,
    private readonly users: string[],
    /** Tokens of users who sign out, each once. */
    private readonly leavers: string[],
  ) {
    this.#workers = Array.from({ length: WORKERS }, async () => {
      while (!this.#isOver) {
        await this.#sendOne(this.all.length);
      }
    });
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#workers);
    this.#keptOpen.destroy();
  }

  async #sendOne(i: number) {
    const user = this.users[i % this.users.length];
    const leaver = i % 8 === 7 ? this.leavers.pop() : undefined;
    const [kind, credentials] = leaver
      ? (['sign-out', { cookie: `token=${leaver}` }] as const)
      : (
          [
            ['bearer', { bearer: user }],
            ['cookie', { cookie: `token=${user}` }],
            ['nobody', {}],
          ] as const
        )[i % 3];
    const sent: Sent = {
      id: String(i),
      kind,
      token: leaver,
      sentAt: performance.now(),
      endedAt: Infinity,
    };
    this.all.push(sent);
    try {
      sent.answer = await send(this.port, {
        ...(leaver
          ? { method: 'DELETE', path: '/api/hello/.backstage/auth/v1/cookie' }
          : { path: `/api/hello/x?ms=${(i * 37) % 400}&parts=${1 + (i % 4)}` }),
        headers: { 'X-Id': sent.id, 'Sec-Fetch-Site': 'same-origin' },
        agent: this.#agents[Math.floor(i / 4) % 2],
        ...credentials,
      });
      sent.endedAt = performance.now();
    } catch {
      // The server no longer listens: try again, as other clients do.
      await sleep(5);
    }
  }
}

export async function checkStop(report: Report, world: World) {
  await report.check(
    'SIGTERM under load: what was accepted is answered to the end, and nothing opens',
    async () => {
      const acceptedFile = path.join(world.folder, 'accepted');
      const backend = await world.createBackend('stop', { acceptedFile });
      await backend.start();
      const { port } = backend;
      const signMany = (count: number, name: string) =>
        Promise.all(
          Array.from({ length: count }, (_, i) =>
            world.sign({ port, sub: `user:default/${name}${i}` }),
          ),
        );
      const users = await signMany(USERS, 'stays');
      const load = new Load(port, users, await signMany(SIGN_OUTS, 'leaves'));
      await sleep(BEFORE_MS);
      const terminatedAt = performance.now();
      const ended = backend.terminate();
      await sleep(AFTER_MS);
      await load.stop();
      const exitCode = await ended;
      const endedMs = Math.round(performance.now() - terminatedAt);
      expectEqual('exit code', exitCode, 0);
      expectEqual(`in time (${endedMs} ms)`, endedMs < ENDS_WITHIN_MS, true);
      const accepted = new Set(readFileSync(acceptedFile, 'utf8').split('\n'));
      const counts = evaluate(load.all, accepted, terminatedAt);

      // The backend starts again with the stored revocations.
      await backend.start();
      let signedOut = 0;
      for (const { token, answer } of load.all) {
        // A browser that got this `Set-Cookie` has dropped the token, whatever the status.
        if (token && answer && answer.setCookies.length > 0) {
          const { status } = await send(port, { bearer: token });
          expectEqual('who has signed out', status, 401);
          signedOut += 1;
        }
      }
      expectEqual('some have signed out', signedOut > 0, true);
      const { status } = await send(port, { bearer: users[0] });
      expectEqual('somebody else', status, 200);
      await backend.kill();
      return `${counts}; ended after ${endedMs} ms; ${signedOut} sign-outs hold after the next start`;
    },
  );
}

/** @throws Error if an accepted request has no complete answer, or an unexpected one */
function evaluate(
  all: Sent[],
  accepted: ReadonlySet<string>,
  terminatedAt: number,
): string {
  const wrong = new Set<string>();
  let [finished, refused, underWay, unheard] = [0, 0, 0, 0];
  for (const { id, kind, sentAt, endedAt, answer } of all) {
    if (!answer) {
      unheard += 1;
      if (accepted.has(id)) {
        wrong.add(`${kind} was accepted, and has no complete answer`);
      }
      continue;
    }
    const { status, body } = answer;
    if (status !== 503 && status !== EXPECTED[kind]) {
      wrong.add(`${kind} has ${status}`);
    }
    if (status === 200 && !body.endsWith('end\n')) {
      wrong.add(`${kind} has half an answer`);
    }
    if (status === 503) {
      refused += 1;
      if (endedAt < terminatedAt) {
        wrong.add(`${kind} has 503 before SIGTERM`);
      }
    } else {
      finished += 1;
      if (sentAt < terminatedAt && endedAt > terminatedAt) {
        underWay += 1;
      }
    }
  }
  if (underWay === 0) {
    wrong.add('nothing was under way at SIGTERM');
  }
  if (wrong.size > 0) {
    throw new Error([...wrong].join('; '));
  }
  return `${finished} requests answered, ${underWay} of them across SIGTERM, and ${refused} with 503 after it; ${unheard} found the door closed`;
}
