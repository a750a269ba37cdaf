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
    ];
    /** Expects that `a` is at least so many times as fast as `b`. */
    const addSpeed = (
      load: LoadName,
      a: VariantName,
      b: VariantName,
      target: number,
    ) => {
      const byCpu = this.#ratio(load, b, a, 'cpuMicrosPerRequest');
      const byRate = this.#ratio(load, a, b, 'requestsPerSecond');
      rows.push([
        `${load}: speed of ${a} ÷ ${b}`,
        `≥ ${target}`,
        formatSpread(byCpu, 2),
        formatSpread(byRate, 2),
        verdict(byCpu.median >= target),
      ]);
    };
    /** Expects that `a` costs at most so many times as much as `b`. */
    const addCost = (
      load: LoadName,
      a: VariantName,
      b: VariantName,
      target: number,
    ) => {
      const byCpu = this.#ratio(load, a, b, 'cpuMicrosPerRequest');
      const byRate = this.#ratio(load, b, a, 'requestsPerSecond');
      rows.push([
        `${load}: cost of ${a} ÷ ${b}`,
        `≤ ${target}`,
        formatSpread(byCpu, 2),
        formatSpread(byRate, 2),
        verdict(byCpu.median <= target),
      ]);
    };
    const addLimit = (
      what: string,
      target: string,
      value: string,
      isMet: boolean,
    ) => rows.push([what, target, value, '', verdict(isMet)]);

    addSpeed('one bearer', 'gate', 'no-auth', 0.82);
    addSpeed('bearer and cookie', 'gate', 'no-auth', 0.92);
    addSpeed('one bearer', 'gate', 'stock', 1.75);
    addSpeed('1,000 bearers', 'gate', 'stock', 1.7);
    addSpeed('1,000 browsers', 'gate', 'stock', 1.6);
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
    addSpeed('one bearer', 'gate without cache', 'stock', 0.92);
    addSpeed('service token', 'gate', 'stock', 1.5);
    addSpeed('anonymous refused', 'gate', 'stock', 1.25);
    addCost('bad signatures', 'gate', 'stock', 1.08);
    addCost('one bearer', 'gate with 1,000 rules', 'gate', 1.03);
    addCost('public path', 'gate with 1,000 rules', 'gate', 1.03);

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
      '≤ 10 MB',
      `${megabytes.toFixed(1)} MB`,
      megabytes <= 10,
    );
    const stockStart = spreadOf(startMillis.stock);
    const gateStart = spreadOf(startMillis.gate);
    const longer = gateStart.median - stockStart.median;
    addLimit(
      `start takes longer (${formatSpread(stockStart, 0)} → ${formatSpread(gateStart, 0)} ms)`,
      '≤ 60 ms',
      `${longer.toFixed(0)} ms`,
      longer <= 60,
    );
    const { sessions, none, many } = single.revoked;
    const later = many.p99Millis / none.p99Millis;
    addLimit(
      `${sessions.toLocaleString('en')} revoked sessions: p99 ÷ none (${none.p99Millis.toFixed(1)} → ${many.p99Millis.toFixed(1)} ms)`,
      '≤ 1.3',
      later.toFixed(2),
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
