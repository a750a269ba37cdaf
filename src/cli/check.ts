import { compact, partition } from 'lodash';
import { isEnforced } from '../gate/rules/Policy';
import { findFindings } from '../operators/findings/findFindings';
import { formatFinding } from '../operators/findings/Finding';
import { ConfiguredPolicy } from '../settings/ConfiguredPolicy';
import { CONFIG_KEY } from '../settings/read/readApiGateConfig';
import { buildReport, commandFor, compareReport } from './buildReport';
import { CliError, Command, Options } from './Command';
import { LoadedConfig, loadConfig } from './loadConfig';
import type { Lines } from './output';

export const check: Command = {
  help: `api-gate check [--config FILE]... [--report FILE [--packages FOLDER]...]

Checks the API gate's configuration as a backend with these files would have it: its values, and what makes the gate
pointless or a rule dangerous. A variable of the environment is not read, and what holds one is not checked.

  --config FILE        as for the backend, in its order; default: app-config.yaml
  --report FILE        checks that the file is what api-gate report writes, with the same --config and --packages
  --packages FOLDER    as for api-gate report
  --no-config          expects that no file has auth.apiGate; without it, check exits with 1 then
  --format github      prints annotations for GitHub Actions; default: text
  --json               prints the result as one JSON object

Exit code: 0 nothing found; 1 something is not as meant; 2 the backend would not start, or it can not be checked.`,
  async run(options, output) {
    const { format = 'text' } = options;
    if (!['text', 'github'].includes(format)) {
      throw new CliError('--format must be text or github');
    }
    if (options.packages && !options.report) {
      throw new CliError('Give --packages only with --report');
    }
    const loaded = await loadConfig(options, output);
    const { locate, missing, notChecked } = loaded;
    if (options['no-config'] && !missing) {
      throw new CliError(
        `--no-config expects that no file has ${CONFIG_KEY}: leave the option out`,
        locate(CONFIG_KEY),
      );
    }
    const failures = findFailures(options, loaded);
    for (const message of failures) {
      output.problem('error', { message, location: locate(message) });
    }
    const isStale = checkReport(options, loaded, output);
    const others = checkFindings(loaded, output);
    // A variable may have any value in the running backend.
    const hash =
      notChecked.length > 0
        ? undefined
        : new ConfiguredPolicy(loaded.gate).hash;
    output.add({ notChecked, hash });
    output.out(
      notChecked.length > 0 &&
        `Not checked, since they hold variables: ${notChecked.join(', ')}`,
      hash && `The policy is ${hash} in production`,
      `${others} ${others === 1 ? 'finding' : 'findings'}`,
    );
    return failures.length > 0 || isStale ? 1 : 0;
  },
};

/** Finds why it is not as meant that the gate refuses, or that it does not. */
function findFailures(options: Options, loaded: LoadedConfig): string[] {
  const { gate, missing } = loaded;
  return compact([
    gate.until &&
      isEnforced(gate, Date.now()) &&
      `${CONFIG_KEY}.until: report-only has ended at ${gate.until.toISOString()}, so that the gate refuses now: remove mode and until, or write a later until`,
    missing &&
      !options['no-config'] &&
      `${missing}, or --no-config if none has it`,
  ]);
}

/** Prints how the file of `--report` differs from the configuration. Returns whether it does. */
function checkReport(options: Options, loaded: LoadedConfig, output: Lines) {
  const file = options.report;
  if (file === undefined) {
    return false;
  }
  const lines = compareReport(file, buildReport(loaded, options));
  if (lines.length > 0) {
    output.problem('error', {
      message: `${file} is not what these files open: run ${commandFor(options)}, and commit the file`,
    });
  }
  output.add({ report: lines });
  output.out(...lines);
  return lines.length > 0;
}

/** Prints the findings. Returns the number of those that are not accepted. */
function checkFindings(loaded: LoadedConfig, output: Lines): number {
  const { asWritten, gate, locate, notChecked, root } = loaded;
  // A finding about what was left out may be untrue.
  const isKnown = (text: string) => !notChecked.some(at => text.includes(at));
  const findings = findFindings({ config: root, gate, now: new Date() })
    .filter(({ at, write }) => isKnown(write) && !notChecked.includes(at))
    // An end of report-only is an error already.
    .filter(
      ({ id }) => id !== 'report-only-ends' || !isEnforced(gate, Date.now()),
    )
    .map(each => ({ ...each, at: asWritten(each.at) }));
  const [accepted, others] = partition(findings, 'accepted');
  for (const finding of others) {
    const message = formatFinding(finding);
    const location = locate(message);
    output.problem('warning', { message, finding: finding.id, location });
  }
  output.add({ accepted });
  output.out(...accepted.map(each => `accepted: ${formatFinding(each)}`));
  return others.length;
}
