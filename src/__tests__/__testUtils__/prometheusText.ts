/** A series of a text that Prometheus reads. */
export interface Series {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** A metric as Backstage's exporter writes it. */
export interface Metric {
  name: string;
  kind: string;
  unit: string;
  description: string;
}

/**
 * Returns the name that an OpenTelemetry collector's Prometheus exporter writes, and that Prometheus itself uses for OTLP data:
 * the tokens of the name, the unit in words unless the name has it, and `total` for a counter. A unit in braces is ignored.
 * (`normalizeName` in metric_namer.go of github.com/prometheus/otlptranslator.)
 */
function collectorName({ name, kind, unit }: Metric): string {
  const tokens = name
    .split(/[^A-Za-z0-9:]+/)
    .filter(token => token !== '' && token !== 'total');
  if (unit === 's' && !tokens.includes('seconds')) {
    tokens.push('seconds');
  }
  if (kind === 'counter') {
    tokens.push('total');
  }
  return tokens.join('_');
}

/** Returns the series that Prometheus would read from a text. */
function parseSeries(text: string): Series[] {
  return [...text.matchAll(/^([a-z_]+)(?:\{(.*)\})? (\S+)$/gm)].map(
    ([, name, labels = '', value]) => ({
      name,
      labels: Object.fromEntries(
        [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, text_]) => [
          key,
          text_,
        ]),
      ),
      value: Number(value),
    }),
  );
}

/** The series and the metrics of one text. */
export interface Scrape {
  series: Series[];
  found: Metric[];
}

/** Returns the metrics of the same text. */
function parseMetrics(text: string): Metric[] {
  const valuesOf = (pattern: RegExp) =>
    Object.fromEntries([...text.matchAll(pattern)].map(([, ...pair]) => pair));
  const units = valuesOf(/^# UNIT (\S+) (\S+)$/gm);
  const descriptions = valuesOf(/^# HELP (\S+) (.+)$/gm);
  return [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, kind]) => ({
    name,
    kind,
    unit: units[name],
    description: descriptions[name],
  }));
}

/** Renames the series as a collector does. */
export function asCollector({ series, found }: Scrape): Scrape {
  return {
    found,
    series: series.map(each => {
      const metric = found.find(({ name }) => each.name.startsWith(name))!;
      return {
        ...each,
        name: `${collectorName(metric)}${each.name.slice(metric.name.length)}`,
      };
    }),
  };
}

/** Evaluates an instant vector selector of PromQL. */
export function select(query: string, { series }: Scrape): Series[] {
  const [, name, filter, nameless] = query.match(
    /(api_gate\w+)(?:\{(.*?)\})?|\{(.*?)\}/,
  )!;
  const matchers = filter ?? nameless ?? '';
  const conditions = [...matchers.matchAll(/(\w+)=(~?)"([^"]*)"/g)].map(
    ([, label, isRegExp, text]) => ({
      label,
      pattern: isRegExp ? text : text.replace(/\W/g, '\\$&'),
    }),
  );
  return series.filter(
    each =>
      (name === undefined || each.name === name) &&
      conditions.every(({ label, pattern }) =>
        new RegExp(`^(?:${pattern})$`).test(
          label === '__name__' ? each.name : (each.labels[label] ?? ''),
        ),
      ),
  );
}

/** Reads a text, without the metrics of others. */
export function parseScrape(text: string): Scrape {
  const isGate = ({ name }: { name: string }) => name.startsWith('api_gate');
  return {
    series: parseSeries(text).filter(isGate),
    found: parseMetrics(text).filter(isGate),
  };
}
