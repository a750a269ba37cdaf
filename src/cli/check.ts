import { compact, map, partition, pick, some } from 'lodash';
import {
  findListSources,
  formatListSource,
} from '../settings/files/configFiles';
import { CONFIG_KEY } from '../settings/read/readApiGateConfig';
import { Finding, formatFinding } from '../operators/findings/Finding';
import { findFindings } from '../operators/findings/findFindings';
import { BUILT_IN_PUBLIC, withEnd } from '../operators/reports/describePolicy';
import { nameStopping } from '../operators/reports/describeReportOnly';
import {
  formatReport,
  pageAddressOf,
} from '../operators/reports/formatPolicyReport';
import { findFailedExpectations } from '../settings/expectations/checkExpectations';
import { asObject, didYouMean } from '../settings/read/values';
import { isEnforced } from '../gate/rules/Policy';
import { CliError, Command, Options, readChoice } from './Command';
import { checkLive, readTimes } from './live';
import { LoadedConfig, loadConfig, UNKNOWN_MODE } from './loadConfig';
import { Level, Lines, placeFields } from './output';

export const check: Command = {
  help: `api-gate check [--config FILE]...

Checks the API gate's configuration as a backend with these files would have it: its values, its expectations, and
what makes the gate pointless or a rule dangerous.

  --config FILE        as for the backend, in its order; default: app-config.yaml and app-config.local.yaml
  --no-config          expects that no file has auth.apiGate; without it, check exits with 1 then
  --mock-env           uses a made-up value for each variable that is not set and has no default
  --json               prints the result as one JSON object
  --format github      prints annotations for GitHub Actions; default: text
  --fail-on findings   exits with 1 for findings too, unless auth.apiGate.findings.accept names them
  --policy URL         adds a running backend's plugins, what they open, and what is used: …/api/auth/api-gate/v1/policy
  --token-env NAME     the variable with the token for --policy
  --scan PATH          the output of scan --json, or a folder with it as opens.json: with --policy, adds what it lacks
  --live URL           also asks the running backend with this backend.baseUrl whether the gate is there, and, by GET
                       and HEAD without a credential, two requests a second, whether the expectations hold
  --times NUMBER       the requests that show whether the gate is at each replica; default: 20

Exit code: 0 nothing found; 1 something is not as meant; 2 the backend would not start, or it can not be checked.`,
  async run(options, output) {
    readChoice(options, 'format', ['text', 'github']);
    readChoice(options, 'fail-on', ['findings']);
    const times = readTimes(options);
    const loaded = await loadConfig(options, output);
    const { declared, isMissing, leftOut, locate } = loaded;
    if (options['no-config'] && !isMissing) {
      throw new CliError(
        `--no-config expects that no file has ${CONFIG_KEY}: leave the option out`,
        locate(CONFIG_KEY),
      );
    }
    output.add({ notChecked: leftOut });
    output.out(
      ...describePolicy(loaded, output),
      ...(declared ? [] : describeMissing(loaded)),
      leftOut.length > 0 &&
        `Not checked, since they hold variables that are not set: ${leftOut.join(', ')}`,
    );
    const code = checkConfig(options, loaded, output);
    const ofLive =
      options.live === undefined
        ? 0
        : await checkLive(options.live, times, loaded, output);
    return code || ofLive;
  },
};

/** Prints what does not hold in the configuration, and its findings. Returns the exit code. */
function checkConfig(options: Options, loaded: LoadedConfig, output: Lines) {
  const { gate, locate, root } = loaded;
  const print = (level: Level, message: string, finding?: string) =>
    output.problem(level, { message, finding, location: locate(message) });
  const failures = findFailedExpectations(gate);
  const failed = [
    ...map(failures, 'message'),
    ...findModeFailures(options, loaded),
  ];
  for (const message of failed) {
    print('error', message);
  }
  for (const source of findListSources(root)) {
    const isEmptied = !source.entries && some(source.replaces, 'entries');
    if (isEmptied && /expect/.test(source.path)) {
      const list = formatListSource(source);
      print('warning', `${list}. Remove the empty list to keep the others`);
    }
  }
  const findings = findCheckable(loaded);
  const [accepted, others] = partition(findings, 'accepted');
  // The gate that these files mean to try refuses by now.
  const isError = ({ id }: Finding) =>
    id === 'report-only-ends' && isEnforced(gate, Date.now());
  for (const finding of findings) {
    const message = formatFinding(finding);
    if (finding.accepted) {
      output.out(`accepted: ${message}`);
    } else {
      print(isError(finding) ? 'error' : 'warning', message, finding.id);
    }
  }
  const total = gate.expect.length;
  const holding = total - failures.length;
  output.add({ accepted, expectations: { total, holding } });
  output.out(
    `${holding} of ${total} expectations hold, ${others.length} ${others.length === 1 ? 'finding' : 'findings'}`,
  );
  const isFailed = failed.length > 0 || others.some(isError);
  return isFailed || (options['fail-on'] && others.length > 0) ? 1 : 0;
}

/** Finds why it is not known whether the gate refuses, or which settings it has. */
function findModeFailures(options: Options, loaded: LoadedConfig): string[] {
  const { isMissing, isModeUnknown, root } = loaded;
  const misspelt = Object.keys(asObject(root.getOptional('auth'))).filter(key =>
    didYouMean(key, ['apiGate']),
  );
  return compact([
    isModeUnknown &&
      `${UNKNOWN_MODE}: write both values, or set the variable as the backend has it`,
    isMissing &&
      !options['no-config'] &&
      `${CONFIG_KEY} is in none of the files read: ${misspelt.map(key => `correct auth.${key}, or `)}give --config for each file that the backend reads, or --no-config if none has it`,
  ]);
}

/** Returns the findings, except those whose place or remedy names a setting that holds an unset variable. */
export function findCheckable({ declared, gate, leftOut, root }: LoadedConfig) {
  return findFindings({
    config: root,
    gate,
    now: new Date(),
    stopping: declared?.reportOnly && nameStopping(declared.reportOnly),
    ...pick(declared, 'installed', 'unscanned'),
  }).filter(
    ({ at, write }) =>
      !leftOut.some(key => at.startsWith(key) || write.includes(key)),
  );
}

/** Describes the policy of these files, and what a running backend adds to it, as the log of its start does. */
function describePolicy(loaded: LoadedConfig, output: Lines): string[] {
  const { declared, gate, locate, placeOf, root } = loaded;
  const allow = gate.allow.map((rule, i) => ({
    ...withEnd(rule),
    installed: declared?.installed.includes(rule.plugin),
    at: `${CONFIG_KEY}.allow[${i}]`,
    ...placeFields(locate(`${CONFIG_KEY}.allow[${i}]`)),
  }));
  output.add({ allow });
  return formatReport(
    {
      enforced: isEnforced(gate, Date.now()),
      allow,
      tokens: gate.tokens?.map(entry => withEnd(entry)),
      builtIn: BUILT_IN_PUBLIC,
      lists: findListSources(root),
      ...pick(declared, 'closed', 'unknown'),
    },
    entry => `${compact([placeOf(entry), entry]).join('  ')}  `,
  );
}

function describeMissing({ leftOut, root }: LoadedConfig): string[] {
  const baseUrl = root.getOptionalString('backend.baseUrl') ?? '';
  return compact([
    'Without --policy, check can miss a misspelt plugin in allow, only and expect, and does not list the paths that plugins declare open and the gate closes',
    !leftOut.includes('backend.baseUrl') &&
      `The page of the running gate lists these paths: ${pageAddressOf(baseUrl)}`,
  ]);
}
