// Measures the cost of a `Cookie` header of 15 KB, with the gate and without it, on a public and on a closed path, as CPU time
// per request. Both backends alternate. Run by `bench/run cookies`.
import { Load, measure } from './measure';
import { ServerProcess } from './ServerProcess';
import { formatSpread, spreadOf } from './statistics';
import { Tokens } from './Tokens';
import { OPEN_PATH, variants } from './variants';

const HEADER_BYTES = 15_000;
const ROUNDS = 5;
const REQUESTS = 300;
const WARM_UP_REQUESTS = 800;
const MOST = 1.5;

const tokens = new Tokens();
ServerProcess.endWithProcess(() => tokens.remove());

/** Returns as many cookies as fit, each with a name of its own. */
function cookiesNamed(prefix: string): string {
  let header = '';
  for (let i = 0; header.length < HEADER_BYTES - 20; i++) {
    header += `${prefix}${i.toString(36)}=1; `;
  }
  return header;
}

async function main() {
  const stock = await ServerProcess.start(variants.stock, tokens.config);
  const gate = await ServerProcess.start(variants.gate, tokens.config);
  let isMet = true;
  for (const [names, prefix] of [
    ['any names', 'a'],
    ["names that begin as the gate's does", 'token'],
    ["names that begin as Backstage's does", 'backstage-auth'],
  ]) {
    const cookie = cookiesNamed(prefix);
    for (const [path, status] of [
      [`/api/trivial${OPEN_PATH}`, 200],
      ['/api/trivial/x', 401],
    ] as const) {
      const load: Load = { path, status, nextHeaders: () => ({ cookie }) };
      const micros = { stock: [] as number[], gate: [] as number[] };
      await measure(stock, load, WARM_UP_REQUESTS);
      await measure(gate, load, WARM_UP_REQUESTS);
      for (let round = 0; round < ROUNDS; round++) {
        for (const [name, server] of Object.entries({ stock, gate })) {
          const { cpuMicrosPerRequest } = await measure(server, load, REQUESTS);
          micros[name as 'stock' | 'gate'].push(cpuMicrosPerRequest);
        }
      }
      const ratio = spreadOf(
        micros.gate.map((each, i) => each / micros.stock[i]),
      );
      isMet &&= ratio.median <= MOST;
      console.log(
        `${path}, ${names}: stock ${formatSpread(spreadOf(micros.stock), 0)} µs, gate ${formatSpread(spreadOf(micros.gate), 0)} µs, ratio ${formatSpread(ratio, 2)}`,
      );
    }
  }
  console.log(`At most ${MOST}: ${isMet ? 'met' : 'not met'}`);
  return isMet;
}

main().then(
  met => process.exit(met ? 0 : 1),
  error => {
    console.error(error);
    process.exit(1);
  },
);
