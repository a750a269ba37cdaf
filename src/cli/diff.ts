import { ApiGateConfig, CONFIG_KEY } from '../config/readApiGateConfig';
import { comparePolicies, RouteChange } from '../policy/comparePolicies';
import { CliError } from './CliError';
import { withFilesAt } from './gitFiles';
import { loadConfig } from './loadConfig';
import {
  assertNoArguments,
  CONFIG_OPTIONS,
  readChoice,
  readOptions,
} from './options';
import { Output, printable } from './output';

export const DIFF_HELP = `api-gate diff [--config FILE]... --against git:REF|FILE...

Prints what a change of the configuration makes public, and what it closes. The order of rules, their
reasons and repetitions make no difference. A rule that has ended is not public; where two rules end at
different times, the difference is shown as longer or shorter.

  --config FILE              as for the backend, in its order; default: app-config.yaml and the files beside it
  --against git:REF          the same files at a commit, a branch or a tag, such as git:origin/main
  --against FILE             other files, in the backend's order
  --fail-on new-public|any   exits with 1 for what is newly public or longer so, or for any difference
  --mock-env                 uses a made-up value for each variable that is not set

Exit code: 0, 1 for differences that --fail-on names, 2 where a configuration can not be read.`;

const GIT = 'git:';

/** Runs `api-gate diff`. Returns the exit code. */
export async function diff(args: string[], output: Output): Promise<number> {
  const { values, positionals } = readOptions('diff', args, {
    ...CONFIG_OPTIONS,
    against: { type: 'string', multiple: true },
    'fail-on': { type: 'string' },
  });
  if (values.help) {
    output.out(DIFF_HELP);
    return 0;
  }
  assertNoArguments('diff', positionals);
  const failOn = readChoice('fail-on', values['fail-on'], [
    'new-public',
    'any',
  ]);
  const against = values.against ?? [];
  const ref = against.find(other => other.startsWith(GIT))?.slice(GIT.length);
  if (against.length === 0 || (ref !== undefined && against.length > 1)) {
    throw new CliError(
      'Give --against git:REF once, or --against FILE for each file',
    );
  }
  const mockEnv = values['mock-env'] ?? false;
  const after = await loadConfig({ files: values.config ?? [], mockEnv });
  const read = (files: string[]) => loadConfig({ files, mockEnv });
  const before =
    ref === undefined
      ? (await read(against)).gate
      : await withFilesAt(
          ref,
          after.sources.flatMap(({ path }) => (path ? [path] : [])),
          async (files, missing) => {
            missing.forEach(file =>
              output.error(printable(`${file} is not in ${ref}`)),
            );
            return files.length ? (await read(files)).gate : undefined;
          },
        );

  const { opened, closed, longer, shorter } = comparePolicies(
    before?.allow ?? [],
    after.gate.allow,
  );
  const mode = compareModes(before, after.gate);
  const lines = [
    ...(mode ? [mode] : []),
    ...opened.map(change => describe('+ public', change, after.gate)),
    ...longer.map(change => describe('+ longer', change, after.gate)),
    ...closed.map(change => describe('- closed', change)),
    // The rule is of the old configuration, which has other places.
    ...shorter.map(change =>
      describe('- shorter', {
        ...change,
        until: change.otherUntil,
        otherUntil: change.until ?? Infinity,
      }),
    ),
  ];
  lines.forEach(line => output.out(printable(line)));
  if (lines.length === 0) {
    output.out('No difference in what is public');
  }
  const isNewlyPublic = lines.some(line => line.startsWith('+'));
  return (failOn === 'any' && lines.length > 0) ||
    (failOn === 'new-public' && isNewlyPublic)
    ? 1
    : 0;
}

function describe(
  sign: '+ public' | '+ longer' | '- closed' | '- shorter',
  { methods, plugin, path, rule, until, otherUntil }: RouteChange,
  gate?: ApiGateConfig,
): string {
  const name = gate
    ? `  ${CONFIG_KEY}.allow[${gate.allow.indexOf(rule)}]${rule.reason ? `  "${rule.reason}"` : ''}`
    : '';
  const own = until === undefined ? '' : `  until ${formatEnd(until)}`;
  const end =
    otherUntil === undefined
      ? own
      : `  ends ${formatEnd(until)}, was ${formatEnd(otherUntil)}`;
  return `${sign}  ${methods} /api/${plugin}${path}${end}${name}`;
}

function formatEnd(until = Infinity): string {
  return until === Infinity ? 'never' : new Date(until).toISOString();
}

/** Returns the time until which the gate refuses nothing. */
function openUntil({ mode, until }: ApiGateConfig): number {
  return mode === 'enforce' ? -Infinity : (until?.getTime() ?? Infinity);
}

function compareModes(
  before: ApiGateConfig | undefined,
  after: ApiGateConfig,
): string | undefined {
  const old = before ? openUntil(before) : -Infinity;
  const now = openUntil(after);
  if (now === old) {
    return undefined;
  }
  const name = `${CONFIG_KEY}.mode is ${after.mode}${after.until ? ` until ${after.until.toISOString()}` : ''}`;
  return now > old
    ? `+ public  whatever plugins leave open  ${name}`
    : `- closed  whatever no rule names  ${name}`;
}
