// Compares the gate of this tree with that of another commit. Run by `bench/run compare COMMIT`, with names of loads behind it for
// these loads only.
import path from 'node:path';
import { LoadName, LoadPlan, loads } from './loads';
import { measure } from './measure';
import { formatTable } from './Results';
import { ServerProcess } from './ServerProcess';
import { formatSpread, spreadOf } from './statistics';
import { Tokens } from './Tokens';
import { Variant, VariantName, variants } from './variants';

/** Each round has its own processes, since the speed of a process depends on the location of its memory. */
const ROUNDS = 5;
/** The number of times that each load is measured at each server of a round. */
const TURNS = 3;
const REQUESTS = 1500;
const LEAD_IN_REQUESTS = 300;
/** Requests until the code that runs often is compiled, and those until a further load has compiled its own. */
const WARM_UP_REQUESTS = 6000;
const FURTHER_WARM_UP_REQUESTS = 1500;
/** A row fails if it is slower by more than this, or by more than the other commit differs from itself. */
const MAX_SLOWDOWN = 1.05;

/** The other commit runs twice: the difference between the two is the noise of this run. */
const TREES = {
  old: path.join(__dirname, '../../old/bench/server.js'),
  'old again': path.join(__dirname, '../../old/bench/server.js'),
  new: path.join(__dirname, 'server.js'),
};
type Tree = keyof typeof TREES;
const treeNames = Object.keys(TREES) as Tree[];

const tokens = new Tokens();
ServerProcess.endWithProcess(() => tokens.remove());

/** One load at one variant of the gate, at the servers of all trees. */
interface Row {
  load: LoadName;
  variant: VariantName;
  /** The CPU time of a request, in microseconds, one figure a round. */
  micros: Record<Tree, number[]>;
}

const wanted = process.argv.slice(4);
const unknown = wanted.filter(load => !(load in loads));
if (unknown.length > 0) {
  throw new Error(
    `There is no load '${unknown[0]}'. Name one of these: ${Object.keys(loads).join(', ')}`,
  );
}

const rows = Object.entries<LoadPlan>(loads)
  .filter(([load]) => wanted.length === 0 || wanted.includes(load))
  .flatMap(([load, plan]) =>
    plan.variants
      .filter(name => (variants[name] as Variant).withGate)
      .map((variant): Row => ({
        load: load as LoadName,
        variant,
        micros: { old: [], 'old again': [], new: [] },
      })),
  );

/** Measures all rows of one variant, at one process of each tree. */
async function measureRound(variant: VariantName): Promise<void> {
  const servers = {} as Record<Tree, ServerProcess>;
  for (const tree of treeNames) {
    servers[tree] = await ServerProcess.start(
      variants[variant],
      tokens.config,
      TREES[tree],
    );
  }
  const measured = rows.filter(each => each.variant === variant);
  for (const [i, row] of measured.entries()) {
    const { create, leadIn, part = 1, warmUp }: LoadPlan = loads[row.load];
    const untilCompiled = i === 0 ? WARM_UP_REQUESTS : FURTHER_WARM_UP_REQUESTS;
    const cells = treeNames.map(tree => ({
      server: servers[tree],
      requests: create(tokens, servers[tree]),
      found: [] as number[],
      tree,
    }));
    for (const { server, requests } of cells) {
      await measure(server, requests, (warmUp ?? untilCompiled) * part);
    }
    for (let turn = 0; turn < TURNS; turn += 1) {
      // The order alternates, since the preceding measurement may favour one tree.
      for (const { server, requests, found } of turn % 2
        ? [...cells].reverse()
        : cells) {
        await measure(server, requests, (leadIn ?? LEAD_IN_REQUESTS) * part);
        const { cpuMicrosPerRequest } = await measure(
          server,
          requests,
          REQUESTS * part,
        );
        found.push(cpuMicrosPerRequest);
      }
    }
    for (const { tree, found } of cells) {
      const { median } = spreadOf(found);
      row.micros[tree].push(median);
      console.error(`  ${row.load}, ${tree}: ${median.toFixed(0)} µs`);
    }
  }
  await Promise.all(Object.values(servers).map(server => server.stop()));
}

/** Returns the cells of a row, and whether the new tree is as fast as the old one, as far as this run can show. */
function judge({ load, variant, micros }: Row): {
  cells: string[];
  isFast: boolean;
} {
  const { old, 'old again': again } = micros;
  const noise = spreadOf(again.map((each, i) => each / old[i]));
  const ratio = spreadOf(
    micros.new.map((each, i) => (2 * each) / (old[i] + again[i])),
  );
  const limit = Math.min(MAX_SLOWDOWN, Math.max(noise.max, 1 / noise.min));
  const isFast = ratio.median <= limit;
  return {
    cells: [
      load,
      variant,
      formatSpread(spreadOf([...old, ...again]), 0),
      formatSpread(spreadOf(micros.new), 0),
      formatSpread(noise, 2),
      formatSpread(ratio, 2),
      limit.toFixed(2),
      isFast ? 'as fast' : 'SLOWER',
    ],
    isFast,
  };
}

async function main() {
  const measured = [...new Set(rows.map(({ variant }) => variant))];
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const variant of measured) {
      console.error(`round ${round}, ${variant}`);
      await measureRound(variant);
    }
  }
  const judged = rows.map(judge);
  console.log(
    formatTable([
      [
        'load',
        'variant',
        'old, CPU µs/request',
        'new',
        'old again ÷ old',
        'new ÷ old',
        'limit',
        '',
      ],
      ...judged.map(({ cells }) => cells),
    ]),
  );
  return judged.every(({ isFast }) => isFast);
}

main().then(
  isFast => process.exit(isFast ? 0 : 1),
  error => {
    console.error(error);
    process.exit(1);
  },
);
