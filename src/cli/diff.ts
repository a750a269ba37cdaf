import path from 'node:path';
import { compact } from 'lodash';
import { formatRule } from '../gate/rules/AllowRule';
import { formatLocation } from '../settings/files/locate';
import { ApiGateConfig, CONFIG_KEY } from '../settings/read/readApiGateConfig';
import {
  comparePolicies,
  RouteChange,
} from '../settings/expectations/comparePolicies';
import { isEnforced } from '../gate/rules/Policy';
import { CliError, Command, Options, readChoice } from './Command';
import {
  compareConditions,
  compareExpectations,
  compareVariables,
} from './compareEntries';
import { Difference, formatDifference } from './Difference';
import {
  formatMode,
  LoadedConfig,
  loadConfig,
  readGate,
  readSources,
} from './loadConfig';
import { isModeUnknown } from './mockEnv';
import { findInOtherCheckout } from './otherCheckout';
import type { Lines } from './output';
import { findUnreadFiles, hasGate } from './unreadFiles';

export const diff: Command = {
  help: `api-gate diff [--config FILE]... --against FOLDER

Prints what a change of the configuration makes public, what it closes, and which expectations it adds
or removes. The order of rules, their reasons and repetitions make no difference. A rule that has ended
is not public; where two rules end at different times, the difference is shown as longer or shorter.
What rules require is compared too.

  --config FILE              as for the backend, in its order; default: app-config.yaml and app-config.local.yaml
  --against FOLDER           the root of another checkout, which has the same files as they were:
                             git worktree add --detach FOLDER COMMIT makes it
  --fail-on new-public|any   exits with 1 for what is newly public or longer so, requires less, or is no longer expected
                             to be closed; or for any difference
  --json                     prints the result as one JSON object
  --mock-env                 uses a made-up value for each variable that is not set and has no default

Exit code: 0; 1 for differences that --fail-on names, or if no file of --config has auth.apiGate; 2 a file can
not be read, or is outside of its checkout, or the same in both, or CI is set and there is an app-config*.local.yaml
that has auth.apiGate, or, without --config, a file beside those that were read has it.`,
  async run(options, output) {
    const failOn = readChoice(options, 'fail-on', ['new-public', 'any']);
    const after = await loadConfig(options, output);
    const before = await readBefore(after, options, output);

    const { gate } = after;
    const { allow = [], expect = [] } = before?.gate ?? {};
    const changes = comparePolicies(allow, gate.allow);
    const differences = [
      ...compareModes(after, before?.gate),
      ...compareVariables(after, before),
      ...changes.opened.map(change => describe('+', 'public', change, gate)),
      ...changes.longer.map(change => describe('+', 'longer', change, gate)),
      ...compareConditions(allow, gate.allow),
      ...compareExpectations(expect, gate.expect),
      ...changes.closed.map(change => describe('-', 'closed', change)),
      ...changes.shorter.map(change => describe('-', 'shorter', change)),
    ];
    output.add({ differences });
    output.out(
      ...differences.map(formatDifference),
      differences.length === 0 && 'No difference in what is public',
    );
    const failing = differences.filter(
      ({ sign }) => failOn === 'any' || sign === '+',
    );
    return after.isMissing || (failOn && failing.length > 0) ? 1 : 0;
  },
};

/**
 * Reads the same files of the other checkout.
 *
 * @returns `undefined` if nothing can be said to have been public: if the other checkout lacks a file that has settings of the gate
 *   now, the other files may open what that one had closed
 */
async function readBefore(
  after: LoadedConfig,
  options: Options,
  output: Lines,
): Promise<LoadedConfig | undefined> {
  const paired = findInOtherCheckout(
    options.against ?? [],
    options.config ? after.files : defaultFiles(after.files[0]),
  );
  const config = compact(paired.map(({ other }) => other));
  const names = config.map(file => formatLocation({ file }));
  output.add({ against: names });
  output.error(`Read to compare with: ${names.join(', ')}`);
  const missing = after.files.filter(name =>
    paired.some(({ file, other }) => file === name && !other),
  );
  missing.forEach(file =>
    output.error(`${formatLocation({ file })} is not in ${options.against}`),
  );
  const [unread] = options.config ? [] : findUnreadFiles(config);
  if (unread) {
    throw new CliError(
      `this file ${unread.problem}, and the command has not read it: give --config for each file that the backend reads`,
      { file: unread.file },
    );
  }
  const isNew = after.sources.some(
    ({ path: file = '', data }) => missing.includes(file) && hasGate(data),
  );
  return isNew
    ? undefined
    : readGate(await readSources({ ...options, config }), options);
}

/** Returns the files that Backstage reads without `--config`, in its order, whether or not they are there. */
function defaultFiles(first: string): string[] {
  const environments = (process.env.BACKSTAGE_ENV ?? '')
    .split(',')
    .map(name => name.trim())
    .filter(Boolean)
    .map(name => `.${name}`);
  return ['.yaml', '.local.yaml'].flatMap(end =>
    ['', ...environments].map(name =>
      path.join(path.dirname(first), `app-config${name}${end}`),
    ),
  );
}

/** @param after - the new configuration, if it has the rule: the old one has other places */
function describe(
  sign: '+' | '-',
  kind: 'public' | 'longer' | 'closed' | 'shorter',
  change: RouteChange,
  after?: ApiGateConfig,
): Difference {
  const { rule, until, otherUntil } = change;
  const [now, before] = after ? [until, otherUntil] : [otherUntil, until];
  const own = until === undefined ? '' : `  until ${formatEnd(until)}`;
  const end =
    otherUntil === undefined
      ? own
      : `  ends ${formatEnd(now)}, was ${formatEnd(before)}`;
  const text = `${formatRule(change)}${end}`;
  return {
    sign,
    kind,
    text,
    ...(after && {
      at: `${CONFIG_KEY}.allow[${after.allow.indexOf(rule)}]`,
      note: compact([
        rule.reason && `"${rule.reason}"`,
        rule.requires && `(requires ${rule.requires})`,
      ]).join('  '),
    }),
  };
}

function formatEnd(until = Infinity): string {
  return until === Infinity ? 'never' : new Date(until).toISOString();
}

/** Returns the time until which the gate refuses nothing. */
function openUntil(config: ApiGateConfig | undefined): number {
  return !config || isEnforced(config)
    ? -Infinity
    : (config.until?.getTime() ?? Infinity);
}

function compareModes(
  { gate, leftOut }: LoadedConfig,
  before?: ApiGateConfig,
): Difference[] {
  if (isModeUnknown(leftOut)) {
    const text = `${CONFIG_KEY}.mode or until holds a variable that is not set`;
    return [{ sign: '+', kind: 'not known', text }];
  }
  const old = openUntil(before);
  const now = openUntil(gate);
  if (now === old) {
    return [];
  }
  const at = formatMode(gate);
  return [
    now > old
      ? { sign: '+', kind: 'public', text: 'whatever plugins leave open', at }
      : { sign: '-', kind: 'closed', text: 'whatever no rule names', at },
  ];
}
