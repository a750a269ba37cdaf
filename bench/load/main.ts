// Puts two backends under the same mixed load, and compares what grows in them: see `run`.
import { randomBytes } from 'node:crypto';
import type { JsonObject } from '@backstage/types';
import { formatTable } from '../Results';
import { sleep } from '../../integration/http';
import { expectEqual } from '../../integration/Report';
import { postgresUrl, Run, runChecks } from '../../integration/runChecks';
import { Side } from './Side';
import { growthOf } from './trend';
import type { Sample } from './World';

const isLong = process.argv.includes('long');
const RUN_MS = (isLong ? 18 * 60 : 90) * 1_000;
const ROUND_MS = 5_000;
/** The configuration is reloaded every ten seconds. */
const ROUNDS_PER_RELOAD = 2;
const STEPS_PER_ROUND = 24;
/** The part of a round in which requests are sent. The rest is for the sample. */
const SENDING_MS = 4_000;
/** The time in which a backend closes connections that clients have closed. */
const SETTLE_MS = 300;
const LIMIT_MS = 2 * RUN_MS + 360_000;

// In 90 seconds this is 17 bytes for each request, or 15 KB for each reload; in 18 minutes it is 2 bytes, or 1 KB. A stock backend
// grows by 1 KB, and the gate's cache of tokens may shrink by 40 KB.
const HEAP_BYTES = 60_000;
// Less than four, since the second half of 90 seconds has four reloads.
const FEW = 3;
const NONE = 0.5;

interface Measure {
  title: string;
  key: keyof Sample;
  /** The largest growth over the second half, less that of the stock backend, that is none. */
  limit: number;
}

/** The amounts that must stay flat. */
const MEASURES: Measure[] = [
  { title: 'heap after a collection', key: 'heap', limit: HEAP_BYTES },
  { title: 'requests in memory', key: 'requests', limit: FEW },
  { title: 'sockets in memory', key: 'sockets', limit: FEW },
  { title: 'timers in memory', key: 'timers', limit: FEW },
  { title: 'handles', key: 'handles', limit: FEW },
  { title: 'file descriptors', key: 'descriptors', limit: FEW },
  { title: 'open connections', key: 'connections', limit: FEW },
  { title: 'listeners', key: 'listeners', limit: FEW },
  { title: 'series of metrics', key: 'series', limit: NONE },
];

/** Puts both backends under the load of one round, and measures them. */
async function runRound(sides: Side[], round: number): Promise<void> {
  const both = (run: (side: Side) => Promise<void>) =>
    Promise.all(sides.map(run));
  const startedAt = performance.now();
  const elapsed = () => performance.now() - startedAt;
  const reloads = Math.floor(round / ROUNDS_PER_RELOAD);
  if (round % ROUNDS_PER_RELOAD === 0 && round > 0) {
    await both(side => side.reload(reloads));
  }
  // On a busy machine the round has fewer steps.
  for (
    let step = 0;
    step < STEPS_PER_ROUND && elapsed() < SENDING_MS;
    step += 1
  ) {
    await sleep((step / STEPS_PER_ROUND) * SENDING_MS - elapsed());
    await both(({ load }) => load.step(reloads));
  }
  await both(({ load }) => load.endWebSockets());
  await both(async side => void (await side.scrape()));
  await sleep(SETTLE_MS);
  await both(side => side.sample());
  await sleep(ROUND_MS - elapsed());
}

/** Returns the number of requests that each backend has got in the second half. */
async function runRounds(sides: Side[]): Promise<number> {
  const [{ load }] = sides;
  const rounds = RUN_MS / ROUND_MS;
  let before = 0;
  for (let round = 0; round < rounds; round += 1) {
    if (round === rounds / 2) {
      before = load.answered;
    }
    await runRound(sides, round);
  }
  return load.answered - before;
}

/** Compares an amount of both backends. */
function compare({ key }: Measure, sides: Side[]) {
  const [gate, stock] = sides.map(({ samples }) => {
    const values = samples.slice(samples.length / 2).map(each => each[key]);
    return { values, growth: growthOf(values) };
  });
  // If the stock backend has shrunk, that is no room for the gate.
  const excess = gate.growth - Math.max(0, stock.growth);
  return { gate, stock, excess };
}

function formatRow(measure: Measure, sides: Side[]): string[] {
  const { gate, stock, excess } = compare(measure, sides);
  const number = (value: number) =>
    value.toLocaleString('en', { maximumFractionDigits: 1 });
  return [
    measure.title,
    ...[gate, stock].flatMap(({ values, growth }) => [
      `${number(Math.min(...values))} – ${number(Math.max(...values))}`,
      number(growth),
    ]),
    number(excess),
    number(measure.limit),
  ];
}

async function startSides({ folder, atExit, createKey }: Run) {
  const url = postgresUrl();
  const key = await createKey();
  const sides: Side[] = [];
  for (const name of ['gate', 'stock'] as const) {
    const prefix = `load_${name}_${randomBytes(4).toString('hex')}_`;
    const config = {
      backend: { database: { client: 'pg', connection: url, prefix } },
      auth: {
        ...(key.config.auth as JsonObject),
        // Backstage accepts no less. The gate keeps a revocation for as long as its token would have lived.
        backstageTokenExpiration: { minutes: 10 },
        providers: { visitor: {} },
        apiGate: { signOut: { providers: ['visitor'] } },
      },
    };
    const side = await Side.create(name, folder, key, config);
    sides.push(side);
    atExit.push(() => side.process.killNow());
    await side.start();
  }
  return sides;
}

runChecks({ name: 'load', limitMs: LIMIT_MS }, async run => {
  const { report } = run;
  const sides = await startSides(run);
  const startedAt = performance.now();
  const requests = await runRounds(sides);
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  console.log(
    `${seconds} s. In the second half, each backend had ${requests} requests, and these amounts:`,
  );
  console.log(
    formatTable([
      ['', 'gate', 'growth', 'stock', 'growth', 'excess', 'limit'],
      ...MEASURES.map(measure => formatRow(measure, sides)),
    ]),
  );
  for (const { name, load, process: child } of sides) {
    load.end();
    await report.check(`${name}: each answer is the expected one`, async () => {
      expectEqual('unexpected', [...load.wrong], []);
      const warnings = child.log.match(/MaxListeners\w+|UnhandledPromise\w+/g);
      expectEqual('warnings of Node', warnings, null);
      return `${load.answered} requests`;
    });
  }
  for (const measure of MEASURES) {
    const { title, limit } = measure;
    await report.check(`[P57] flat under load: ${title}`, async () => {
      const excess = Math.round(compare(measure, sides).excess * 10) / 10;
      const text = `grew by ${excess} more than in the stock backend, where at most ${limit} is flat`;
      if (excess > limit) {
        throw new Error(text);
      }
      return text;
    });
  }
});
