import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import path from 'node:path';
import { compareLatency, revokeSessions } from './latency';
import {
  everNewBearers,
  LoadName,
  LoadPlan,
  loads,
  unknownServices,
} from './loads';
import { CONNECTIONS, measure, Measurement } from './measure';
import { formatTable, Results, SingleResults } from './Results';
import { ServerProcess } from './ServerProcess';
import { Tokens } from './Tokens';
import { Variant, VariantName, variants } from './variants';
import { writeTable } from './writeTable';

/**
 * The speed of a process depends on the location of its memory and on what is compiled first, so each generation has its own
 * processes. The benchmark runs at least this number of generations, and starts none after this time.
 */
const MIN_GENERATIONS = 3;
const GENERATIONS_UNTIL_MS = 150_000;
/** Rounds of each generation. */
const ROUNDS = 4;
const REQUESTS = 2000;
/** Requests before each measurement that are not measured, since the server's code has left the CPU's caches. */
const LEAD_IN_REQUESTS = 300;
/** Requests until the code that runs often is compiled: the time of a request falls until then. */
const WARM_UP_REQUESTS = 8000;
const STARTS = 7;
const UNKNOWN_SERVICE_REQUESTS = 600;
const MEMORY_TOKENS = 100_000;
const REVOKED_SESSIONS = 100_000;
/** Ends a benchmark that hangs; on two idle cores it takes half of that. */
const TIMEOUT_MS = 25 * 60 * 1000;

const tokens = new Tokens();
ServerProcess.endWithProcess(() => tokens.remove());
setTimeout(() => {
  console.error('The benchmark takes too long');
  process.exit(1);
}, TIMEOUT_MS).unref();

const progress = (message: string) =>
  console.error(`${performance.now().toFixed(0).padStart(7)} ms  ${message}`);

const start = (variant: Variant) => ServerProcess.start(variant, tokens.config);

/** Measures starts one after the other, alternating between the variants. */
async function measureStarts(): Promise<
  Pick<SingleResults, 'startMillis' | 'startCpuMillis'>
> {
  const startMillis = { stock: [] as number[], gate: [] as number[] };
  const startCpuMillis = { stock: [] as number[], gate: [] as number[] };
  for (let i = 0; i < STARTS; i++) {
    for (const name of ['stock', 'gate'] as const) {
      const server = await start(variants[name]);
      startMillis[name].push(server.started.milliseconds);
      startCpuMillis[name].push(server.started.cpuMilliseconds);
      await server.stop();
    }
  }
  return { startMillis, startCpuMillis };
}

/** Measures memory in a new process, since earlier work changes the garbage collector's behaviour. */
async function measureMemory(): Promise<SingleResults['memory']> {
  const server = await start(variants.gate);
  await measure(
    server,
    loads['one bearer'].create(tokens, server),
    WARM_UP_REQUESTS,
  );
  const before = await server.ask({ kind: 'collect garbage' });
  await measure(server, everNewBearers(tokens, server.url), MEMORY_TOKENS);
  const after = await server.ask({ kind: 'collect garbage' });
  await server.stop();
  return {
    tokens: MEMORY_TOKENS,
    bytes: after.memoryBytes - before.memoryBytes,
  };
}

async function measureRevoked(): Promise<SingleResults['revoked']> {
  const [none, many] = [await start(variants.gate), await start(variants.gate)];
  await revokeSessions(many, tokens, REVOKED_SESSIONS);
  const [ofNone, ofMany] = await compareLatency(
    [none, many].map(server => ({
      server,
      load: loads['one bearer'].create(tokens, server),
    })),
  );
  await Promise.all([none.stop(), many.stop()]);
  return { sessions: REVOKED_SESSIONS, none: ofNone, many: ofMany };
}

/** Measures each load with each of its variants, in rounds. */
async function measureGeneration(results: Results): Promise<void> {
  const servers = {} as Record<VariantName, ServerProcess>;
  for (const [name, variant] of Object.entries(variants)) {
    servers[name as VariantName] = await start(variant);
  }
  const prepared = Object.entries<LoadPlan>(loads).map(([load, plan]) => ({
    load: load as LoadName,
    part: plan.part ?? 1,
    leadIn: plan.leadIn ?? LEAD_IN_REQUESTS,
    warmUp: plan.warmUp ?? WARM_UP_REQUESTS,
    cells: plan.variants.map(name => ({
      name,
      server: servers[name],
      requests: plan.create(tokens, servers[name]),
    })),
  }));
  for (const { cells, part, warmUp } of prepared) {
    for (const { server, requests } of cells) {
      await measure(server, requests, warmUp * part);
    }
  }
  for (let round = 1; round <= ROUNDS; round++) {
    for (const { load, cells, leadIn, part } of prepared) {
      // The order alternates, since the preceding measurement may favour one variant.
      for (const { name, server, requests } of round % 2
        ? cells
        : [...cells].reverse()) {
        await measure(server, requests, leadIn * part);
        const measured = await measure(server, requests, REQUESTS * part);
        results.add(load, name, measured);
      }
    }
  }
  await Promise.all(Object.values(servers).map(server => server.stop()));
}

async function measureUnknownServices(variant: Variant): Promise<Measurement> {
  const server = await start(variant);
  const measurement = await measure(
    server,
    unknownServices(tokens),
    UNKNOWN_SERVICE_REQUESTS,
  );
  await server.stop();
  return measurement;
}

async function main() {
  progress('starts');
  const starts = await measureStarts();

  const results = new Results();
  let generations = 0;
  while (
    generations < MIN_GENERATIONS ||
    performance.now() < GENERATIONS_UNTIL_MS
  ) {
    generations++;
    progress(`generation ${generations}`);
    await measureGeneration(results);
  }

  progress('service tokens of plugins that do not exist');
  const unknown = {
    requests: UNKNOWN_SERVICE_REQUESTS,
    stock: await measureUnknownServices(variants.stock),
    gate: await measureUnknownServices(variants.gate),
  };

  progress(`${MEMORY_TOKENS} different tokens`);
  const memory = await measureMemory();
  progress(`${REVOKED_SESSIONS} revoked sessions`);
  const revoked = await measureRevoked();
  const single = { ...starts, unknownServices: unknown, memory, revoked };
  progress('done');

  const machine = `${cpus()[0].model}, ${cpus().length} cores, Node ${process.version}, ${
    process.env.BENCH_SERVER_CORE ? 'pinned' : 'not pinned'
  }`;
  const settings = `${CONNECTIONS} connections, ${generations} generations of processes, ${ROUNDS} rounds of ${REQUESTS} requests each, median (min–max)`;
  const date = new Date().toISOString();
  const targets = results.targets(single);
  const table = results.table();
  console.log(
    [
      `${date.slice(0, 10)}, ${machine}; ${settings}.`,
      formatTable(targets),
      formatTable(table),
    ].join('\n\n'),
  );
  const file = path.resolve(__dirname, '../../results.json');
  writeFileSync(
    file,
    JSON.stringify(
      {
        date,
        machine,
        settings,
        targets,
        ...single,
        cells: results,
      },
      null,
      2,
    ),
  );
  const [head, ...ratios] = targets.map(([what, , byCpu]) => [what, byCpu]);
  const run = ['run', `${date.slice(0, 10)}, ${process.version}`];
  writeTable('ratios', [head, run, ...ratios]);
  writeTable(
    'loads',
    table.map(([load, variant, cpu]) => [load, variant, cpu]),
  );
}

main().then(
  () => process.exit(0),
  error => {
    console.error(error);
    process.exit(1);
  },
);
