// Measures `fasterServer`: the gate with and without it, and beside them no authentication and stock as they come, and with the same
// prototypes. Run by `bench/run faster`, which writes its tables to docs/performance.md.
import { cpus } from 'node:os';
import { LoadName, LoadPlan, loads } from './loads';
import { CONNECTIONS, measure } from './measure';
import { formatTable } from './Results';
import { ServerProcess } from './ServerProcess';
import { formatSpread, spreadOf } from './statistics';
import { Tokens } from './Tokens';
import { fasterVariants } from './variants';
import { writeToDocs } from './writeToDocs';

type Name = keyof typeof fasterVariants;

const GENERATIONS = 3;
const ROUNDS = 4;
const REQUESTS = 1500;
const LEAD_IN_REQUESTS = 300;
const WARM_UP_REQUESTS = 6000;

const CELLS: Partial<Record<LoadName, Name[]>> = {
  'one bearer': [
    ...(['no-auth', 'no-auth, faster', 'stock', 'stock, faster'] as const),
    ...(['gate', 'gate, faster'] as const),
  ],
  'bearer and cookie': ['no-auth', 'no-auth, faster', 'gate', 'gate, faster'],
  '1,000 browsers': ['stock', 'stock, faster', 'gate', 'gate, faster'],
  'anonymous refused': ['stock', 'stock, faster', 'gate', 'gate, faster'],
};

/** The speed of the first variant divided by that of the second one, with the aim of the former. */
const RATIOS: [load: LoadName, a: Name, b: Name, target?: number][] = [
  ['bearer and cookie', 'gate, faster', 'no-auth', 1.3],
  ['one bearer', 'gate, faster', 'stock', 2.5],
  ['1,000 browsers', 'gate, faster', 'stock', 2.1],
  ['anonymous refused', 'gate, faster', 'stock', 2.5],
  ['bearer and cookie', 'gate, faster', 'no-auth, faster'],
  ['one bearer', 'gate, faster', 'no-auth, faster'],
  ['one bearer', 'gate, faster', 'stock, faster'],
  ['1,000 browsers', 'gate, faster', 'stock, faster'],
  ['anonymous refused', 'gate, faster', 'stock, faster'],
  ['one bearer', 'no-auth, faster', 'no-auth'],
  ['one bearer', 'stock, faster', 'stock'],
];

const tokens = new Tokens();
ServerProcess.endWithProcess(() => tokens.remove());

/** The CPU time of a request in microseconds, one figure a round. */
const micros = new Map<string, number[]>();
const roundsOf = (load: LoadName, name: Name) =>
  micros.get(`${load}/${name}`) ?? [];

/** Measures all cells in rounds. Each generation has its own processes, since the speed of a process depends on its memory. */
async function measureGeneration(): Promise<void> {
  const servers = {} as Record<Name, ServerProcess>;
  for (const [name, variant] of Object.entries(fasterVariants)) {
    servers[name as Name] = await ServerProcess.start(variant, tokens.config);
  }
  const cells = Object.entries(CELLS).flatMap(([load, names]) =>
    names.map(name => ({
      key: `${load}/${name}`,
      server: servers[name],
      plan: loads[load as LoadName] as LoadPlan,
      requests: loads[load as LoadName].create(tokens, servers[name]),
    })),
  );
  for (const { plan, server, requests } of cells) {
    await measure(server, requests, plan.warmUp ?? WARM_UP_REQUESTS);
  }
  for (let round = 0; round < ROUNDS; round++) {
    // The order alternates, since the preceding measurement may favour one variant.
    for (const cell of round % 2 ? cells : [...cells].reverse()) {
      const { key, plan, server, requests } = cell;
      await measure(server, requests, plan.leadIn ?? LEAD_IN_REQUESTS);
      const { cpuMicrosPerRequest } = await measure(server, requests, REQUESTS);
      micros.set(key, [...(micros.get(key) ?? []), cpuMicrosPerRequest]);
    }
  }
  await Promise.all(Object.values(servers).map(server => server.stop()));
}

function formatRatio([load, a, b, target]: (typeof RATIOS)[number]): string[] {
  const divisors = roundsOf(load, a);
  const ratio = spreadOf(
    roundsOf(load, b).map((each, round) => each / divisors[round]),
  );
  const verdict = target && ratio.median >= target ? 'met' : 'NOT MET';
  return [
    `${load}: speed of ${a} ÷ ${b}`,
    target ? `≥ ${target}` : '',
    formatSpread(ratio, 2),
    target ? verdict : '',
  ];
}

async function main() {
  for (let generation = 1; generation <= GENERATIONS; generation++) {
    console.error(`generation ${generation}`);
    await measureGeneration();
  }
  const machine = `${cpus()[0].model}, ${cpus().length} cores, Node ${process.version}`;
  const settings = `${CONNECTIONS} connections, ${GENERATIONS} generations of processes, ${ROUNDS} rounds of ${REQUESTS} requests each, median (min–max)`;
  const tables = [
    `${new Date().toISOString().slice(0, 10)}, ${machine}; ${settings}, by CPU time.`,
    formatTable([['what', 'target', 'ratio', ''], ...RATIOS.map(formatRatio)]),
    formatTable([
      ['load', 'variant', 'CPU µs/request'],
      ...Object.entries(CELLS).flatMap(([load, names]) =>
        names.map(name => [
          load,
          name,
          formatSpread(spreadOf(roundsOf(load as LoadName, name)), 0),
        ]),
      ),
    ]),
  ].join('\n\n');
  console.log(tables);
  writeToDocs('faster', tables);
}

main().then(
  () => process.exit(0),
  error => {
    console.error(error);
    process.exit(1);
  },
);
