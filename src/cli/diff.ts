import { formatRule } from '../config/AllowRule';
import { ApiGateConfig, CONFIG_KEY } from '../config/readApiGateConfig';
import { comparePolicies, RouteChange } from '../policy/comparePolicies';
import { CliError } from './CliError';
import type { Command } from './Command';
import { withFilesAt } from './gitFiles';
import { loadConfig } from './loadConfig';
import { readChoice } from './options';

const GIT = 'git:';

export const diff: Command = {
  help: `api-gate diff [--config FILE]... --against git:REF|FILE...

Prints what a change of the configuration makes public, and what it closes. The order of rules, their
reasons and repetitions make no difference. A rule that has ended is not public; where two rules end at
different times, the difference is shown as longer or shorter.

  --config FILE              as for the backend, in its order; default: app-config.yaml and the files beside it
  --against git:REF          the same files at a commit, a branch or a tag, such as git:origin/main
  --against FILE             other files, in the backend's order
  --fail-on new-public|any   exits with 1 for what is newly public or longer so, or for any difference
  --mock-env                 uses a made-up value for each variable that is not set

Exit code: 0, 1 for differences that --fail-on names, 2 where a configuration can not be read.`,
  options: ['config', 'mock-env', 'against', 'fail-on'],
  async run(options, output) {
    const failOn = readChoice(options, 'fail-on', ['new-public', 'any']);
    const { against = [] } = options;
    const ref = against.find(other => other.startsWith(GIT))?.slice(GIT.length);
    if (against.length === 0 || (ref !== undefined && against.length > 1)) {
      throw new CliError(
        'Give --against git:REF once, or --against FILE for each file',
      );
    }
    const after = await loadConfig(options);
    const read = async (files: string[]) =>
      (await loadConfig({ ...options, config: files })).gate;
    const before =
      ref === undefined
        ? await read(against)
        : await withFilesAt(
            ref,
            after.sources.flatMap(({ path }) => path ?? []),
            async (files, missing) => {
              missing.forEach(file => output.error(`${file} is not in ${ref}`));
              return files.length > 0 ? read(files) : undefined;
            },
          );

    const { opened, closed, longer, shorter } = comparePolicies(
      before?.allow ?? [],
      after.gate.allow,
    );
    const lines = [
      ...compareModes(before, after.gate),
      ...opened.map(change => describe('+ public', change, after.gate)),
      ...longer.map(change => describe('+ longer', change, after.gate)),
      ...closed.map(change => describe('- closed', change)),
      ...shorter.map(change => describe('- shorter', change)),
    ];
    output.out(
      ...lines,
      lines.length === 0 && 'No difference in what is public',
    );
    const failing =
      failOn === 'any' ? lines : lines.filter(line => line.startsWith('+'));
    return failOn && failing.length > 0 ? 1 : 0;
  },
};

/** @param after - the new configuration, if it has the rule: the old one has other places */
function describe(
  sign: '+ public' | '+ longer' | '- closed' | '- shorter',
  change: RouteChange,
  after?: ApiGateConfig,
): string {
  const { rule, until, otherUntil } = change;
  const [now, before] = after ? [until, otherUntil] : [otherUntil, until];
  const own = until === undefined ? '' : `  until ${formatEnd(until)}`;
  const end =
    otherUntil === undefined
      ? own
      : `  ends ${formatEnd(now)}, was ${formatEnd(before)}`;
  const name = after
    ? `  ${CONFIG_KEY}.allow[${after.allow.indexOf(rule)}]${rule.reason ? `  "${rule.reason}"` : ''}`
    : '';
  return `${sign}  ${formatRule(change)}${end}${name}`;
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
): string[] {
  const old = before ? openUntil(before) : -Infinity;
  const now = openUntil(after);
  if (now === old) {
    return [];
  }
  const name = `${CONFIG_KEY}.mode is ${after.mode}${after.until ? ` until ${after.until.toISOString()}` : ''}`;
  return [
    now > old
      ? `+ public  whatever plugins leave open  ${name}`
      : `- closed  whatever no rule names  ${name}`,
  ];
}
