// Measures how the cost of a request grows with the number of rules, revoked sessions, tokens and plugins. Run by
// `bench/run growth`.
import { revokeSessions } from './latency';
import { bearer, inTurn, loads } from './loads';
import { Load, measure } from './measure';
import { formatTable } from './Results';
import { ServerProcess } from './ServerProcess';
import { formatSpread, spreadOf } from './statistics';
import { Tokens } from './Tokens';
import { OPEN_PATH, Variant, variants, withRules } from './variants';
import { writeTable } from './writeTable';

const ROUNDS = 5;
const REQUESTS = 2000;
const LEAD_IN_REQUESTS = 300;
const WARM_UP_REQUESTS = 4000;
/** The number of tokens that the gate remembers. Those of one turn are verified before it, unless they are more. */
const REMEMBERED_TOKENS = 20_000;

const tokens = new Tokens();
ServerProcess.endWithProcess(() => tokens.remove());

/** A server in a state, and the requests that measure it. */
interface Point {
  size: number;
  server: ServerProcess;
  load: Load;
  /** Default: {@link LEAD_IN_REQUESTS}. */
  leadIn?: number;
}

const start = (variant: Variant) => ServerProcess.start(variant, tokens.config);

const oneBearer = (server: ServerProcess) =>
  loads['one bearer'].create(tokens, server);

async function pointsOfRules(closed: boolean): Promise<Point[]> {
  return Promise.all(
    [1, 10, 100, 1000, 10_000].map(async size => {
      const server = await start(withRules(size));
      const open = {
        path: `/api/trivial${OPEN_PATH}`,
        status: 200,
        nextHeaders: () => ({}),
      };
      return { size, server, load: closed ? oneBearer(server) : open };
    }),
  );
}

async function pointsOfRevocations(): Promise<Point[]> {
  const points: Point[] = [];
  for (const size of [0, 1000, 100_000, 1_000_000]) {
    const server = await start(variants.gate);
    if (size > 0) {
      await revokeSessions(server, tokens, size);
    }
    points.push({ size, server, load: oneBearer(server) });
  }
  return points;
}

async function pointsOfTokens(variant: Variant): Promise<Point[]> {
  const server = await start(variant);
  return [1, 100, 2000, 20_000, 100_000].map(size => ({
    size,
    server,
    load: inTurn(size, () => bearer(tokens.user(server.url))),
    leadIn: Math.max(LEAD_IN_REQUESTS, Math.min(size, REMEMBERED_TOKENS)),
  }));
}

async function pointsOfPlugins(variant: Variant): Promise<Point[]> {
  const points: Point[] = [];
  for (const size of [2, 10, 50]) {
    const server = await start({ ...variant, plugins: size });
    points.push({ size, server, load: oneBearer(server) });
  }
  return points;
}

/** Returns the rows of one table: the CPU time of a request at each size, and the ratio to the smallest size. */
async function measureGrowth(
  what: string,
  points: Point[],
): Promise<string[][]> {
  const micros = points.map(() => [] as number[]);
  for (const { server, load } of points) {
    await measure(server, load, WARM_UP_REQUESTS);
  }
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [i, { server, load, leadIn }] of points.entries()) {
      await measure(server, load, leadIn ?? LEAD_IN_REQUESTS);
      const { cpuMicrosPerRequest } = await measure(server, load, REQUESTS);
      micros[i].push(cpuMicrosPerRequest);
    }
  }
  await Promise.all(
    [...new Set(points.map(({ server }) => server))].map(each => each.stop()),
  );
  return points.map(({ size }, i) => [
    what,
    size.toLocaleString('en'),
    formatSpread(spreadOf(micros[i]), 0),
    formatSpread(spreadOf(micros[i].map((each, r) => each / micros[0][r])), 2),
  ]);
}

async function main() {
  const rows = [['what grows', 'number', 'CPU µs/request', 'ratio']];
  for (const [what, points] of [
    ['rules, a bearer token on a closed path', () => pointsOfRules(true)],
    ['rules, a public path', () => pointsOfRules(false)],
    ['revoked sessions', pointsOfRevocations],
    ['different tokens in turn', () => pointsOfTokens(variants.gate)],
    [
      'different tokens in turn, without the gate',
      () => pointsOfTokens(variants.stock),
    ],
    ['plugins', () => pointsOfPlugins(variants.gate)],
    ['plugins, without the gate', () => pointsOfPlugins(variants.stock)],
  ] as const) {
    console.error(what);
    rows.push(...(await measureGrowth(what, await points())));
  }
  console.log(formatTable(rows));
  writeTable(
    'growth',
    rows.map(([what, number, , ratio]) => [what, number, ratio]),
  );
}

main().then(
  () => process.exit(0),
  error => {
    console.error(error);
    process.exit(1);
  },
);
