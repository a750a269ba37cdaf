import path from 'node:path';
import { CONFIG_KEY } from '../config/readApiGateConfig';
import { findFailedExpectations } from '../policy/checkExpectations';
import { describeEnd } from '../policy/RuleEnds';
import { CliError } from './CliError';
import { DeclaredInCode, fetchPolicy } from './fetchPolicy';
import {
  LoadedConfig,
  loadConfig,
  locateMessage,
  sourcesOf,
} from './loadConfig';
import { locate } from './locate';
import {
  assertNoArguments,
  CONFIG_OPTIONS,
  readChoice,
  readOptions,
} from './options';
import {
  Finding,
  formatFinding,
  formatLocation,
  Output,
  printable,
} from './output';

export const CHECK_HELP = `api-gate check [--config FILE]...

Checks the API gate's configuration as a backend with these files would have it: the values below
auth.apiGate, and each expectation of auth.apiGate.expect.

  --config FILE        as for the backend, in its order; default: app-config.yaml and the files beside it
  --mock-env           uses a made-up value for each variable that is not set
  --format github      prints annotations for GitHub Actions; default: text
  --fail-on warnings   exits with 1 for warnings too
  --policy URL         adds what plugins open in code, from GET …/api/auth/api-gate/v1/policy of a running backend
  --token-env NAME     the variable with the token for --policy

Exit code: 0 nothing found, 1 an expectation does not hold, 2 the backend would not start.`;

/** Runs `api-gate check`. Returns the exit code. */
export async function check(args: string[], output: Output): Promise<number> {
  const { values, positionals } = readOptions('check', args, {
    ...CONFIG_OPTIONS,
    format: { type: 'string' },
    'fail-on': { type: 'string' },
    policy: { type: 'string' },
    'token-env': { type: 'string' },
  });
  if (values.help) {
    output.out(CHECK_HELP);
    return 0;
  }
  assertNoArguments('check', positionals);
  const format = readChoice('format', values.format, ['text', 'github']);
  const failOn = readChoice('fail-on', values['fail-on'], ['warnings']);
  const print = (finding: Finding) =>
    output.out(formatFinding(finding, format ?? 'text'));
  let loaded: LoadedConfig;
  try {
    loaded = await loadConfig({
      files: values.config ?? [],
      mockEnv: values['mock-env'] ?? false,
    });
  } catch (error) {
    if (format === 'github' && error instanceof CliError) {
      const { message, location } = error;
      print({ level: 'error', message, location });
      return 2;
    }
    throw error;
  }
  const declared =
    values.policy === undefined
      ? undefined
      : await fetchPolicy(values.policy, values['token-env']);

  describeRules(loaded).forEach(line => output.out(printable(line)));
  describeDeclared(declared).forEach(line => output.out(printable(line)));
  if (loaded.leftOut.length > 0) {
    output.out(
      `Not checked, since they hold variables that are not set: ${loaded.leftOut.join(', ')}`,
    );
  }
  const findings = findAll(loaded);
  findings.forEach(print);
  const failed = findings.filter(({ level }) => level === 'error').length;
  const warned = findings.length - failed;
  const { length: expected } = loaded.gate.expect;
  output.out(
    `${expected - failed} of ${expected} expectations hold, ${warned} warning${warned === 1 ? '' : 's'}`,
  );
  return failed > 0 || (failOn && warned > 0) ? 1 : 0;
}

function findAll({ gate, sources }: LoadedConfig): Finding[] {
  const failures = findFailedExpectations(gate, CONFIG_KEY).map(
    ({ message }) => ({ level: 'error', message }) as const,
  );
  const ends = gate.allow.flatMap((rule, i) => {
    const end = describeEnd(rule, i, Date.now());
    return end ? [end.message] : [];
  });
  const warnings = [
    ...gate.warnings,
    ...ends,
    ...describeReplaced(sources),
  ].map(message => ({ level: 'warning', message }) as const);
  return [...failures, ...warnings].map(finding => ({
    ...finding,
    location: locateMessage(finding.message, sources),
  }));
}

/** Describes lists that were replaced: Backstage merges objects, but a list replaces the list of an earlier file. */
function describeReplaced(sources: LoadedConfig['sources']): string[] {
  return ['allow', 'expect'].flatMap(key => {
    const all = sourcesOf(sources, ['auth', 'apiGate', key]);
    const last = all.at(-1);
    return all
      .slice(0, -1)
      .map(
        earlier =>
          `${CONFIG_KEY}.${key} of ${nameOf(last!)} replaces that of ${nameOf(earlier)}, with ${lengthOf(earlier.value)} entries: write all of them in one file`,
      );
  });
}

function lengthOf(value: unknown): number {
  return Array.isArray(value) ? value.length : 0;
}

function nameOf({ path: file, context }: LoadedConfig['sources'][number]) {
  return file
    ? path.relative(process.cwd(), file)
    : `the environment (${context})`;
}

/** Describes the allow rules, each with its place in the configuration. */
function describeRules({ gate, sources }: LoadedConfig): string[] {
  const source = sourcesOf(sources, ['auth', 'apiGate', 'allow']).at(-1);
  if (!source || gate.allow.length === 0) {
    return ['No allow rules'];
  }
  return [
    `Allow rules, from ${nameOf(source)}:`,
    ...gate.allow.map(({ methods, plugin, path: below, reason, until }, i) => {
      const place = source.path
        ? formatLocation(locate(source.path, ['auth', 'apiGate', 'allow', i]))
        : nameOf(source);
      return `  ${place}  ${CONFIG_KEY}.allow[${i}]  ${methods} /api/${plugin}${below}${reason ? `  (${reason})` : ''}${until === undefined ? '' : `  (until ${new Date(until).toISOString()})`}`;
    }),
  ];
}

function describeDeclared(declared: DeclaredInCode | undefined): string[] {
  if (!declared) {
    return [
      'Paths that plugins open in code are not shown: the gate closes them, and --policy lists them',
    ];
  }
  const { closed, unknown } = declared;
  return [
    closed.length
      ? 'Opened by plugins in code, and closed by the gate; these rules would open it:'
      : 'The gate closes nothing that plugins open in code',
    ...closed.flatMap(({ plugin, path: below, yaml }) => [
      `  /api/${plugin}${below}`,
      ...yaml.split('\n').map(line => `    ${line}`),
    ]),
    ...(unknown.length
      ? [`Not known what these plugins open in code: ${unknown.join(', ')}`]
      : []),
  ];
}
