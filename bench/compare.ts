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
const ROUNDS = 3;
/** The number of times that each load is measured at each server of a round. */
const TURNS = 5;
const REQUESTS = 1500;
const LEAD_IN_REQUESTS = 300;
/** Requests until the code that runs often is compiled, and those until a further load has compiled its own. */
const WARM_UP_REQUESTS = 6000;
const FURTHER_WARM_UP_REQUESTS = 1500;

/** The other commit runs twice: the difference between the two is the noise of this run. */
const OLD = path.join(__dirname, '../../old/bench');
const TREES = {
  old: path.join(OLD, 'server.js'),
  'old again': path.join(OLD, 'server.js'),
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

/** An older gate may refuse the settings of a variant that its own tree lacks. */
const { variants: oldVariants } = require(path.join(OLD, 'variants.js'));

const rows = Object.entries<LoadPlan>(loads)
  .filter(([load]) => wanted.length === 0 || wanted.includes(load))
  .flatMap(([load, plan]) =>
    plan.variants
      .filter(name => (variants[name] as Variant).withGate)
      .filter(name => name in oldVariants)
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

/**
 * Returns the cells of a row, and whether it is slower: in every round, by more than the other commit differs from itself in any round.
 */
function judge({ load, variant, micros }: Row): {
  cells: string[];
  isSlower: boolean;
} {
  const { old, 'old again': again } = micros;
  const ofItself = again.map((each, round) => each / old[round]);
  const ratios = micros.new.map(
    (each, round) => (2 * each) / (old[round] + again[round]),
  );
  const limit = Math.max(...ofItself.flatMap(each => [each, 1 / each]));
  const isSlower = ratios.every(each => each > limit);
  return {
    cells: [
      load,
      variant,
      formatSpread(spreadOf([...old, ...again]), 0),
      formatSpread(spreadOf(micros.new), 0),
      formatSpread(spreadOf(ofItself), 2),
      formatSpread(spreadOf(ratios), 2),
      limit.toFixed(2),
      isSlower ? 'SLOWER' : 'as fast',
    ],
    isSlower,
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
    `Node ${process.version}, ${ROUNDS} rounds of ${TURNS} × ${REQUESTS} requests, median (min–max)\n`,
  );
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
  return judged.some(({ isSlower }) => isSlower);
}

main().then(
  isSlower => process.exit(isSlower ? 1 : 0),
  error => {
    console.error(error);
    process.exit(1);
  },
);
