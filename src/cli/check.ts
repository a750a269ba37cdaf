import path from 'node:path';
import { findListSources } from '../config/findListSources';
import { CONFIG_KEY } from '../config/readApiGateConfig';
import { formatFinding } from '../findings/Finding';
import { findFindings } from '../findings/findFindings';
import { formatUsage } from '../observability/describeUsage';
import { openingOf } from '../observability/formatPolicyReport';
import { findFailedExpectations } from '../policy/checkExpectations';
import { CliError } from './CliError';
import { DeclaredInCode, fetchPolicy } from './fetchPolicy';
import {
  holdsMock,
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
  formatFinding as formatLine,
  formatLocation,
  Output,
  printable,
} from './output';

export const CHECK_HELP = `api-gate check [--config FILE]...

Checks the API gate's configuration as a backend with these files would have it: the values below
auth.apiGate, each expectation of auth.apiGate.expect, and what makes the gate pointless or a rule
dangerous.

  --config FILE        as for the backend, in its order; default: app-config.yaml and the files beside it
  --mock-env           uses a made-up value for each variable that is not set
  --format github      prints annotations for GitHub Actions; default: text
  --fail-on findings   exits with 1 for findings too, unless auth.apiGate.findings.accept names them
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
  const failOn = readChoice('fail-on', values['fail-on'], ['findings']);
  const print = (finding: Finding) =>
    output.out(formatLine(finding, format ?? 'text'));
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
  describeUse(declared).forEach(line => output.out(printable(line)));
  if (loaded.leftOut.length > 0) {
    output.out(
      `Not checked, since they hold variables that are not set: ${loaded.leftOut.join(', ')}`,
    );
  }
  const failures = findFailedExpectations(loaded.gate, CONFIG_KEY);
  const ofCandidate = findCandidateFailures(loaded.gate);
  for (const { message } of [...failures, ...ofCandidate]) {
    const location = locateMessage(message, loaded.sources);
    print({ level: 'error', message, location });
  }
  const found = printFindings(loaded, declared, print, output);
  const held = summarizeExpectations(loaded.gate, failures, ofCandidate);
  output.out(`${held}, ${found} finding${found === 1 ? '' : 's'}`);
  const failed = failures.length + ofCandidate.length;
  return failed > 0 || (failOn && found > 0) ? 1 : 0;
}

type Print = (finding: Finding) => void;

/** Finds the expectations that would not hold if the candidate replaced the allow rules. */
function findCandidateFailures(gate: LoadedConfig['gate']) {
  const { candidate } = gate;
  return candidate && 'allow' in candidate
    ? findFailedExpectations(
        { ...gate, allow: candidate.allow },
        CONFIG_KEY,
        `${CONFIG_KEY}.candidate.allow`,
      )
    : [];
}

function summarizeExpectations(
  { expect }: LoadedConfig['gate'],
  failures: unknown[],
  ofCandidate: unknown[],
): string {
  const held = `${expect.length - failures.length} of ${expect.length} expectations hold`;
  return ofCandidate.length
    ? `${held}, and ${expect.length - ofCandidate.length} with the candidate`
    : held;
}

/** Prints the findings, and returns the number of those that are not accepted. */
function printFindings(
  { gate, leftOut, root, sources }: LoadedConfig,
  declared: DeclaredInCode | undefined,
  print: Print,
  output: Output,
): number {
  const installed = declared?.installed;
  const findings = findFindings({
    config: root,
    gate,
    isInstalled: installed && (id => installed.includes(id)),
    lists: findListSources(root),
    now: new Date(),
    usage: declared?.usage,
  }).filter(
    ({ id, at }) =>
      !leftOut.some(unchecked => at.startsWith(unchecked)) &&
      // Which origins are trusted depends on addresses, which may be among the variables that are not set.
      !(id === 'cors-not-trusted' && (leftOut.length > 0 || holdsMock(at))),
  );
  for (const finding of findings) {
    const message = formatFinding(finding);
    if (finding.accepted) {
      output.out(printable(`accepted: ${message}`));
    } else {
      const location = locateMessage(message, sources);
      print({ level: 'warning', message, location });
    }
  }
  return findings.filter(({ accepted }) => !accepted).length;
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
    ...closed.flatMap(each => [
      `  /api/${each.plugin}${each.path}`,
      ...openingOf(each).map(line => `    ${line}`),
    ]),
    ...(unknown.length
      ? [`Not known what these plugins open in code: ${unknown.join(', ')}`]
      : []),
  ];
}

function describeUse(declared: DeclaredInCode | undefined): string[] {
  const lines = declared?.usage ? formatUsage(declared.usage) : [];
  return lines.length
    ? ['Use, at that backend:', ...lines.map(line => `  ${line}`)]
    : [];
}
