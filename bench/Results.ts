import type { Latency } from './latency';
import { LoadName, loads } from './loads';
import type { Measurement } from './measure';
import { formatSpread, Spread, spreadOf } from './statistics';
import type { VariantName } from './variants';

/** Figures that are measured once, besides the rounds. */
export interface SingleResults {
  startMillis: Record<'stock' | 'gate', number[]>;
  startCpuMillis: Record<'stock' | 'gate', number[]>;
  unknownServices: { requests: number; stock: Measurement; gate: Measurement };
  memory: {
    tokens: number;
    /** The bytes in addition to those that were in use before. */
    bytes: number;
  };
  /** The same backend without revoked sessions, and with so many. */
  revoked: { sessions: number; none: Latency; many: Latency };
}

/**
 * The ratios of two variants at one load: the first one's speed or cost, divided by that of the second one. The last value is the aim
 * of this project, if it has one: at least this speed, at most this cost.
 */
type Ratio = [
  load: LoadName,
  what: 'speed' | 'cost',
  a: VariantName,
  b: VariantName,
  target?: number,
];
const RATIOS: Ratio[] = [
  ['one bearer', 'speed', 'gate', 'no-auth', 0.82],
  ['bearer and cookie', 'speed', 'gate', 'no-auth', 0.92],
  ['1,000 browsers', 'speed', 'gate', 'no-auth'],
  ['one bearer', 'speed', 'gate', 'stock', 1.75],
  ['1,000 bearers', 'speed', 'gate', 'stock', 1.7],
  ['1,000 browsers', 'speed', 'gate', 'stock', 1.6],
  ['service token', 'speed', 'gate', 'stock', 1.5],
  ['anonymous refused', 'speed', 'gate', 'stock', 1.25],
  ['bad signatures', 'cost', 'gate', 'stock', 1.08],
  ['public path', 'cost', 'gate', 'stock'],
  ['15 KB of cookies', 'cost', 'gate', 'stock', 1.5],
  ['catalog', 'cost', 'gate with catalog', 'stock with catalog'],
  ['one bearer', 'cost', 'gate with 1,000 rules', 'gate', 1.03],
  ['public path', 'cost', 'gate with 1,000 rules', 'gate', 1.03],
];

/** All rounds, and the figures that follow from them. */
export class Results {
  readonly #rounds = new Map<string, Measurement[]>();

  add(load: LoadName, variant: VariantName, measurement: Measurement) {
    const key = keyOf(load, variant);
    this.#rounds.set(key, [...(this.#rounds.get(key) ?? []), measurement]);
  }

  /** The table shows CPU time first: other guests of the machine hardly change it. */
  table(): string[][] {
    const rows = this.#cells().map(({ load, variant, rounds }) => {
      const spread = (key: keyof Measurement, digits: number) =>
        formatSpread(spreadOf(rounds.map(round => round[key])), digits);
      return [
        load,
        variant,
        spread('cpuMicrosPerRequest', 0),
        spread('requestsPerSecond', 0),
        spread('p50Millis', 1),
        spread('p99Millis', 1),
      ];
    });
    return [
      ['load', 'variant', 'CPU µs/request', 'requests/s', 'p50 ms', 'p99 ms'],
      ...rows,
    ];
  }

  /** Returns the rows of the table of targets. */
  targets(single: SingleResults): string[][] {
    const rows: string[][] = [
      ['what', 'target', 'by CPU time', 'by requests/s', ''],
      ...RATIOS.map(each => this.#ratioRow(each)),
    ];
    const addLimit = (
      what: string,
      target: string,
      value: string,
      isMet: boolean,
    ) => rows.push([what, target, value, '', verdict(isMet)]);

    const cookieToBearer = this.#ratioOf(
      [keyOf('one bearer', 'gate'), keyOf('cookie', 'gate')],
      'cpuMicrosPerRequest',
    );
    addLimit(
      'gate: speed of the cookie alone ÷ a bearer token',
      '≥ 0.95',
      formatSpread(cookieToBearer, 2),
      cookieToBearer.median >= 0.95,
    );
    const { unknownServices, memory, startMillis } = single;
    const fetches = unknownServices.gate.outboundRequests;
    addLimit(
      `unknown sub, ${unknownServices.requests} requests: fetches (stock: ${unknownServices.stock.outboundRequests})`,
      '≤ 10',
      String(fetches),
      fetches <= 10,
    );
    const megabytes = memory.bytes / 1e6;
    addLimit(
      `memory for ${memory.tokens} different tokens`,
      '≤ 45 MB',
      `${megabytes.toFixed(1)} MB`,
      megabytes <= 45,
    );
    const stockStart = spreadOf(startMillis.stock);
    const gateStart = spreadOf(startMillis.gate);
    const longer = gateStart.median - stockStart.median;
    addLimit(
      'start takes longer',
      '≤ 60 ms',
      `${longer.toFixed(0)} ms (${stockStart.median.toFixed(0)} → ${gateStart.median.toFixed(0)})`,
      longer <= 60,
    );
    const { sessions, none, many } = single.revoked;
    const later = many.p99Millis / none.p99Millis;
    addLimit(
      `${sessions.toLocaleString('en')} revoked sessions: p99 ÷ none`,
      '≤ 1.3',
      `${later.toFixed(2)} (${none.p99Millis.toFixed(1)} → ${many.p99Millis.toFixed(1)} ms)`,
      later <= 1.3,
    );
    return rows;
  }

  toJSON() {
    return this.#cells();
  }

  #cells() {
    return Object.entries(loads).flatMap(([load, plan]) =>
      plan.variants.map(variant => ({
        load,
        variant,
        rounds: this.#rounds.get(keyOf(load as LoadName, variant)) ?? [],
      })),
    );
  }

  #ratioRow([load, what, a, b, target]: Ratio): string[] {
    const isSpeed = what === 'speed';
    const [above, below] = isSpeed ? [b, a] : [a, b];
    const byCpu = this.#ratio(load, above, below, 'cpuMicrosPerRequest');
    const byRate = this.#ratio(load, below, above, 'requestsPerSecond');
    const figures = [formatSpread(byCpu, 2), formatSpread(byRate, 2)];
    return [
      `${load}: ${what} of ${a} ÷ ${b}`,
      ...(target === undefined
        ? ['', ...figures, '']
        : [
            `${isSpeed ? '≥' : '≤'} ${target}`,
            ...figures,
            verdict(isSpeed ? byCpu.median >= target : byCpu.median <= target),
          ]),
    ];
  }

  /** Compares round by round: a disturbance of a round affects both variants. */
  #ratio(
    load: LoadName,
    a: VariantName,
    b: VariantName,
    key: keyof Measurement,
  ): Spread {
    return this.#ratioOf([keyOf(load, a), keyOf(load, b)], key);
  }

  #ratioOf([a, b]: [string, string], key: keyof Measurement): Spread {
    const above = this.#rounds.get(a)!;
    const below = this.#rounds.get(b)!;
    return spreadOf(above.map((round, i) => round[key] / below[i][key]));
  }
}

function keyOf(load: LoadName, variant: VariantName): string {
  return `${load}/${variant}`;
}

function verdict(isMet: boolean): string {
  return isMet ? 'met' : 'NOT MET';
}

/** Formats a table as Markdown, with columns as wide as their content, so that it can be copied. */
export function formatTable(rows: string[][]): string {
  const widths = rows[0].map((_, i) =>
    Math.max(...rows.map(row => row[i].length)),
  );
  const [head, ...body] = rows.map(
    row => `| ${row.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`,
  );
  const rule = `| ${widths.map(width => '-'.repeat(width)).join(' | ')} |`;
  return [head, rule, ...body].join('\n');
}
