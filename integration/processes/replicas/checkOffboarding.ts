import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { JsonObject } from '@backstage/types';
import { parse } from 'yaml';
import { blocksAfter } from '../../../src/__tests__/__testUtils__/documents';
import { Laptop } from '../../../src/__tests__/__testUtils__/identityProvider';
import { send, sleep, until } from '../../http';
import { expectEqual, Report } from '../../Report';
import { WITHIN_MS, World } from './World';

const PAGE = 'docs/sign-out.md';
const JANE = 'user:default/jane';
const TOKEN = 'a-token-for-offboarding';
/** The time of the second step, in which the account is closed. */
const UNTIL_MS = 40_000;

/** The external token of the page. */
export const OFFBOARDING: JsonObject = parse(
  blocksAfter(PAGE, 'When somebody leaves', 'yaml')[0].replace(
    '${OFFBOARDING_TOKEN}',
    TOKEN,
  ),
).backend.auth.externalAccess[0];

/** Runs the command of the page, with an end that has not passed. */
async function runOfPage({ nginx }: World) {
  const [command] = blocksAfter(PAGE, 'When somebody leaves', 'sh');
  const end = new Date(Date.now() + UNTIL_MS).toISOString();
  const { stdout } = await promisify(execFile)(
    'bash',
    [
      ...['-euo', 'pipefail', '-c'],
      command
        .replace(/\d{4}-\d\d-\d\dT[\d:]+Z/, end)
        .replace(/https:[^ ]+com/, `http://localhost:${nginx.main}`),
    ],
    { env: { PATH: process.env.PATH, TOKEN } },
  );
  return JSON.parse(stdout);
}

/** Returns the answers of both replicas to a token of the laptop, as a bearer and as a cookie. */
async function statusesOf({ a, b }: World, token?: string): Promise<number[]> {
  const answers = await Promise.all(
    [a, b].flatMap(({ port }) => [
      send(port, { bearer: token }),
      send(port, { cookie: `token=${token}` }),
    ]),
  );
  return answers.map(({ status }) => status);
}

export async function checkOffboarding(report: Report, world: World) {
  const laptop = new Laptop(`http://localhost:${world.nginx.main}`, 'oidc');
  const load = async () => (await laptop.loadPage()).token;
  const refused = [401, 401, 401, 401];
  const passed = [200, 200, 200, 200];
  let end = 0;
  const tokens: (string | undefined)[] = [];
  const expectRefused = async (what: string) => {
    for (const token of tokens) {
      expectEqual(what, await statusesOf(world, token), refused);
    }
    return `${tokens.length} tokens are refused`;
  };

  await report.check(
    `[P80] a laptop that is signed in at an identity provider is refused at each replica within ${WITHIN_MS} ms of a sign-out until later, whatever it loads`,
    async () => {
      await laptop.signIn();
      tokens.push(await load());
      expectEqual('before', await statusesOf(world, tokens[0]), passed);
      end = Date.parse((await runOfPage(world)).until);
      const took = await until('both refuse', WITHIN_MS, async () =>
        (await statusesOf(world, tokens[0])).every(status => status === 401),
      );
      const again = new Laptop(`http://localhost:${world.nginx.main}`, 'oidc');
      await again.signIn();
      tokens.push(await load(), (await again.loadPage()).token);
      for (const token of tokens.slice(1)) {
        expectEqual('a new token', typeof token, 'string');
        expectEqual('a new token', await statusesOf(world, token), refused);
      }
      const bystander = await world.sign({ sub: 'user:default/bystander' });
      expectEqual('others', await statusesOf(world, bystander), passed);
      return `after ${Math.round(took)} ms; a reloaded page and a new sign-in are refused`;
    },
  );
  await report.check(
    '[P80] a sign-out until later holds after kill -9 of both replicas',
    async () => {
      const replicas = [world.a, world.b];
      await Promise.all(replicas.map(replica => replica.kill()));
      await Promise.all(replicas.map(replica => replica.start()));
      tokens.push(await load());
      return expectRefused('a token');
    },
  );
  await report.check(
    '[P80] after its end, the tokens from before stay refused, and the next page load passes',
    async () => {
      await sleep(end - Date.now() + 1_100);
      const next = await load();
      await until('the next token passes', WITHIN_MS, async () =>
        (await statusesOf(world, next)).every(status => status === 200),
      );
      return expectRefused('from before');
    },
  );
  await report.check(
    'with the account disabled, as the second step of the page has it, no page load makes a token',
    async () => {
      world.identityProvider.isDisabled = true;
      const { status, token } = await laptop.loadPage();
      expectEqual('the page load', [status, token], [401, undefined]);
      return `${JANE} gets 401`;
    },
  );
}
