import { spawnSync } from 'node:child_process';
import path from 'node:path';
import ts from 'typescript';
import { parse } from 'yaml';
import { FINDING_IDS } from '../../settings/read/readAcceptedFindings';
import { REFUSALS } from '../../gate/Refusal';
import { KINDS } from '../../operators/facts/Fact';
import { ALWAYS_PUBLIC } from '../../operators/facts/findConfigFacts';
import { describeReplica } from '../../operators/reports/describeReplica';
import { RefusalCounts } from '../../operators/reports/RefusalCounts';
import { Refusals } from '../../operators/reports/Refusals';
import {
  JUDGED,
  OF_BACKENDS,
  OF_COMMANDS,
} from '../__testUtils__/comparedSettings';
import {
  blocksAfter,
  codeIn,
  documents,
  productSources,
  proseOf,
  readDocument,
  root,
  tableRows,
} from '../__testUtils__/documents';

const sources = productSources();

/** Returns the texts that match in the code of the product, each once. */
function inCode(pattern: RegExp): string[] {
  return [
    ...new Set(
      sources.flatMap(({ text }) =>
        [...text.matchAll(pattern)].map(([, found]) => found),
      ),
    ),
  ].sort();
}

interface Option {
  /** The config path below `auth.apiGate`; `[]` stands for an item of a list. */
  name: string;
  /** The default as `config.d.ts` names it. */
  fallback: string | undefined;
}

/** Reads the options of `config.d.ts`. */
function readOptions(): Option[] {
  const { text } = readDocument('config.d.ts');
  const file = ts.createSourceFile(
    'config.d.ts',
    text,
    ts.ScriptTarget.Latest,
    true,
  );
  const options: Option[] = [];
  const visit = (node: ts.Node, prefix: string): void => {
    if (!ts.isPropertySignature(node)) {
      ts.forEachChild(node, child => visit(child, prefix));
      return;
    }
    const isList =
      node.type !== undefined &&
      // A list may have a word in its place.
      /^(Array<|.*\[\]$)/.test(
        node.type
          .getText()
          .replace(/^\| '\w+'\s+\| /, '')
          .split('\n')[0],
      );
    const name = `${prefix}${node.name.getText()}`;
    const comment = text.slice(node.getFullStart(), node.getStart());
    options.push({ name, fallback: defaultIn(comment) });
    ts.forEachChild(node, child =>
      visit(child, `${name}${isList ? '[]' : ''}.`),
    );
  };
  visit(file, '');
  const below = 'auth.apiGate.';
  return options
    .filter(({ name }) => name.startsWith(below))
    .map(({ name, fallback }) => ({
      name: name.slice(below.length),
      fallback,
    }));
}

function defaultIn(text: string): string | undefined {
  return text
    .replace(/\s*\n\s*(\* )?/g, ' ')
    .match(/\bDefault: (`[^`]+`|\w+)/)?.[1];
}

describe('docs/configuration.md', () => {
  const sections = readDocument('docs/configuration.md')
    .text.split(/^(?=#+ )/m)
    .flatMap(section => {
      const [, name] = section.match(/^### `([^`]+)`$/m) ?? [];
      return name ? [{ name, fallback: defaultIn(section) }] : [];
    });
  const byName = (a: Option, b: Option) => a.name.localeCompare(b.name);

  it('has a heading for every option of config.d.ts, and its default', () => {
    expect(sections.sort(byName)).toEqual(readOptions().sort(byName));
  });

  it('finds the options of config.d.ts', () => {
    expect(readOptions()).toEqual(
      expect.arrayContaining([
        { name: 'mode', fallback: '`enforce`' },
        { name: 'allow[].path', fallback: undefined },
        { name: 'cookie.trustedPaths[].plugin', fallback: undefined },
        { name: 'signOut.scope', fallback: '`session`' },
      ]),
    );
  });
});

describe('[P103] the report', () => {
  /** Replaces `a.{b,c}` by `a.b` and `a.c`. */
  const expand = (key: string) => {
    const [, start, alternatives = '', end] =
      key.match(/^(.*)\{(.*)\}(.*)$/) ?? [];
    return start === undefined
      ? [key]
      : alternatives.split(',').map(each => `${start}${each}${end}`);
  };

  it('is tried with a change of each setting of config.d.ts that decides anything', () => {
    const tried = [...JUDGED, ...OF_COMMANDS, ...OF_BACKENDS].flatMap(
      ({ settings }) => expand(settings),
    );
    const names = readOptions().map(({ name }) => `auth.apiGate.${name}`);
    const hasOwn = (name: string) =>
      names.some(
        each =>
          each.startsWith(name) && /^(\[\])?\./.test(each.slice(name.length)),
      );
    expect(
      names.filter(name => !hasOwn(name) && !tried.includes(name)).sort(),
    ).toEqual([
      'auth.apiGate.allow[].reason',
      'auth.apiGate.audit.clientAddress',
      'auth.apiGate.findings.accept[].reason',
      'auth.apiGate.tokens[].reason',
    ]);
  });
});

/** A table of the documents, what its rows say, and what the code has. */
interface Compared {
  page: string;
  columns: string[];
  said: (row: string[]) => unknown[];
  code: () => unknown[][];
}

const COMPARED: Compared[] = [
  {
    page: 'docs/observability.md',
    columns: ['name', 'kind, unit', 'attributes'],
    said: ([name, kind]) => [
      ...codeIn(name),
      kind.split(',')[0],
      ...codeIn(kind),
    ],
    code: () =>
      sources.flatMap(({ text }) => [
        ...[
          ...text.matchAll(
            /create(Counter|Histogram)\(\s*'(api_gate[^']+)',\s*\{.*?unit: '([^']+)'/gs,
          ),
        ].map(([, kind, name, unit]) => [name, kind.toLowerCase(), unit]),
        ...[...text.matchAll(/'(api_gate\.[^']+)': \[\s*'([^']+)'/g)].map(
          ([, name, unit]) => [name, 'gauge', unit],
        ),
      ]),
  },
  {
    page: 'docs/observability.md',
    columns: ['Alert', 'Severity', 'It fires where', 'For'],
    said: ([alert, severity, , time]) => [...codeIn(alert), severity, time],
    code: () =>
      parse(readDocument('ops/alerts.yaml').text).groups[0].rules.map(
        (rule: any) => [rule.alert, rule.labels.severity, inWords(rule.for)],
      ),
  },
  {
    page: 'docs/observability.md',
    columns: ['eventId', 'severity', 'meta'],
    said: ([id, severity]) => [...codeIn(id), severity],
    code: () =>
      sources.flatMap(({ text }) =>
        [
          ...text.matchAll(
            /'(api-gate-[a-z-]+)',\s*'(low|medium|high|critical)'/g,
          ),
        ].map(([, id, severity]) => [id, severity]),
      ),
  },
  {
    page: 'docs/troubleshooting.md',
    columns: ['reason', 'meaning'],
    said: ([reason]) => codeIn(reason),
    code() {
      const { text } = readDocument('src/gate/Decision.ts');
      const [, union] = text.match(/type PassReason =\s*([^;]+);/)!;
      return [...union.matchAll(/'([^']+)'/g)].map(([, reason]) => [reason]);
    },
  },
  {
    page: 'docs/troubleshooting.md',
    columns: ['reason', 'status', 'meaning'],
    said: ([reason, status]) => [...codeIn(reason), Number(status)],
    code: () =>
      Object.entries(REFUSALS).map(([reason, { status }]) => [reason, status]),
  },
  {
    page: 'docs/findings.md',
    columns: ['id', 'it means', 'what to do'],
    said: ([id]) => codeIn(id),
    code: () => FINDING_IDS.map(id => [id]),
  },
];

/** Returns a time of an alert, such as `5m`, in words. */
function inWords(time = ''): string {
  const [, count, unit] = time.match(/^(\d+)([hm])$/) ?? [];
  return count
    ? `${count} ${unit === 'h' ? 'hour' : 'minute'}${count === '1' ? '' : 's'}`
    : time;
}

it.each(COMPARED)(
  '$page has a row for each that the code has, and no others: $columns',
  ({ page, columns, said, code }) => {
    const found = code();
    expect(found.length).toBeGreaterThan(1);
    expect(tableRows(page, columns).map(said).sort()).toEqual(found.sort());
  },
);

it('the reasons in the table of symptoms are those of the code', () => {
  const used = tableRows('docs/troubleshooting.md', [
    'Symptom',
    'Reason',
    'What to do',
  ]).flatMap(([, reason]) => codeIn(reason));
  expect(Object.keys(REFUSALS)).toEqual(expect.arrayContaining(used));
});

describe('docs/reference/http-api.md', () => {
  const page = 'docs/reference/http-api.md';

  it('has every route of the gate', () => {
    const paths = readDocument('src/gate/read/requestLine.ts').text;
    const own = [...paths.matchAll(/`\$\{OWN_ROUTES_PATH\}(\/[^`]*)`/g)].map(
      ([, below]) => `/api/auth/api-gate${below}`,
    );
    const documented = tableRows(page, ['Route', 'For', 'Permission'])
      .flatMap(([route]) => codeIn(route))
      .map(route => route.split(' ')[1]);
    expect(own.length).toBeGreaterThan(1);
    expect([...new Set(documented)].sort()).toEqual(own.sort());
  });

  it('has the permissions of the code', () => {
    const permissions = inCode(/name: '(auth\.api-gate\.[a-z]+)'/g);
    const documented = tableRows(page, ['Route', 'For', 'Permission']).flatMap(
      ([, , permission]) => codeIn(permission),
    );
    expect([...new Set(documented)].sort()).toEqual(permissions);
  });

  it('has a sample of the policy with every field, and no others', () => {
    const { text } = readDocument(page);
    const sample = JSON.parse(text.match(/```json\n(.*?)\n```/s)![1]);
    const [, body] = readDocument(
      'src/operators/reports/createPolicyReport.ts',
    ).text.match(
      /^export function createPolicyReport.*?^ {2}return (.*?)^ {2}\};/ms,
    )!;
    const fields = [
      ...[
        // A field that may be absent is spread under its condition.
        ...body.matchAll(/^ {4}(?:\.\.\.\(.* && \{ )?(\w+)(?=[:,]| \})/gm),
      ].map(([, field]) => field),
      ...Object.keys(
        describeReplica({
          backstage: undefined,
          plugins: { isInstalled: () => true },
          observer: {
            counts: new RefusalCounts({ info() {} }),
            refusals: new Refusals(),
          },
          revocations: { size: 0 },
        }),
      ),
    ];
    // A sample with a problem would confuse.
    expect([...Object.keys(sample), 'problem'].sort()).toEqual(fields.sort());
    expect(sample.facts).toEqual(expect.arrayContaining([...ALWAYS_PUBLIC]));
    // Only the report of the command has variables.
    expect(
      tableRows(page, ['Kind', 'Meaning']).flatMap(([kind]) => codeIn(kind)),
    ).toEqual(KINDS.filter(kind => kind !== 'variable'));
  });
});

it('each alert of ops/alerts.yaml has a test of promtool and one on a live Prometheus', () => {
  const { text } = readDocument('ops/alerts.yaml');
  const alerts = [...text.matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
  expect(alerts.length).toBeGreaterThan(3);
  for (const alert of alerts) {
    expect(readDocument('.ci/alerts.test.yaml').text).toContain(
      `alertname="${alert}"`,
    );
    expect(readDocument('integration/processes/alerts/main.ts').text).toContain(
      `'${alert}'`,
    );
  }
});

it('docs/reference/http-api.md describes each field of its sample of the policy', () => {
  const page = 'docs/reference/http-api.md';
  const [sample] = blocksAfter(page, 'GET policy', 'json');
  const policy = JSON.parse(sample);
  const described = ['Field', 'Field of `reportOnly`'].flatMap(first =>
    tableRows(page, [first, 'Meaning']).flatMap(([field]) => codeIn(field)),
  );
  const fields = [policy, policy.reportOnly].flatMap(Object.keys);
  expect(fields.filter(field => !described.includes(field))).toEqual([]);
});

it('the version of the package is the newest of CHANGELOG.md, and in README.md', () => {
  const { version } = JSON.parse(readDocument('package.json').text);
  const [, newest] = readDocument('CHANGELOG.md').text.match(/^## \[(.+?)\]/m)!;
  expect(newest).toBe(version);
  const [[gate]] = tableRows('README.md', ['Gate', 'Backstage', 'Node']);
  expect(version.startsWith(`${gate}.`)).toBe(true);
});

describe('docs/releases.md', () => {
  it('numbers each release, and README.md has the first and the last of them', () => {
    const numbers = tableRows('docs/releases.md', [
      'Release',
      'Backstage',
      'backend-defaults',
      'Node',
      'Missing',
    ]).map(([, number]) => number);
    expect(numbers).toEqual(numbers.map((_, i) => `1.${46 + i}`));
    const [[, backstage]] = tableRows('README.md', [
      'Gate',
      'Backstage',
      'Node',
    ]);
    expect(backstage).toContain(`${numbers[0]} to ${numbers.at(-1)}`);
  });

  it('is what the folders of releases and the marks of the code say', () => {
    const script = path.join(root, '.ci/releases/writeTable.js');
    const { status, stderr } = spawnSync('node', [script, '--check'], {
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});

it('each test that depends on the release says until when', () => {
  const dependent = ts.sys
    .readDirectory(path.join(root, 'src/__tests__/backend'), ['.ts'])
    .map(file => ts.sys.readFile(file)!)
    .filter(text =>
      /API_GATE_TEST_RELEASE|'createWebSocketRouter' in/.test(text),
    );
  expect(dependent.length).toBeGreaterThan(0);
  for (const text of dependent) {
    // `.ci/releases/writeTable.js` reads these marks.
    expect(text).toMatch(/Goes in \w+ \d{4}: /);
  }
});

describe('the messages that the documents and the runbooks quote from the log', () => {
  const { rules } = parse(readDocument('ops/alerts.yaml').text).groups[0];
  const inRunbooks = rules.flatMap((rule: any) =>
    [...rule.annotations.runbook.matchAll(/"(.+?)"/g)].map(([, text]) => text),
  );
  const quoted = documents
    .filter(({ file }) => file !== 'CHANGELOG.md')
    .flatMap(document => codeIn(proseOf(document)))
    .concat(inRunbooks)
    .filter(text => /^API gate[ :]/.test(text));

  it.each([...new Set(quoted)])('are in the code: %s', message => {
    expect(sources.some(({ text }) => text.includes(message))).toBe(true);
  });

  it('are found', () => {
    expect(quoted.length).toBeGreaterThan(5);
    expect(inRunbooks).toContain('API gate refused');
  });
});

it('docs/assurance.md and README.md have the number of the advisories in src/__tests__/attacks', () => {
  const attacks = ts.sys
    .readDirectory(path.join(root, 'src/__tests__/attacks'), ['.ts', '.json'])
    .map(file => ts.sys.readFile(file)!)
    .join('\n');
  const ids = new Set(attacks.match(/CVE-\d{4}-\d+|GHSA(-[a-z0-9]{4}){3}/g));
  for (const file of ['docs/assurance.md', 'README.md']) {
    expect(readDocument(file).text).toContain(`${ids.size} advisories`);
  }
});
