import path from 'node:path';
import { compact, find, omit, trim } from 'lodash';
import { formatLocation } from '../settings/files/locate';
import { CONFIG_KEY } from '../settings/read/readApiGateConfig';
import { CliError, Command, Options, readChoice } from './Command';
import { compareSettings, NOT_COMPARED } from './compareSettings';
import { formatDifference } from './Difference';
import { LoadedConfig, loadConfig, readGate, readSources } from './loadConfig';
import { findInOtherCheckout } from './otherCheckout';
import type { Lines } from './output';
import { findUnreadFiles, hasGate } from './unreadFiles';

export const diff: Command = {
  help: `api-gate diff [--config FILE]... --against FOLDER

Prints what a change of the configuration lets anybody do (+), and what nobody may do any more (-): what is
public, and each other setting that decides. Order, reasons and repetitions make no difference.

  --config FILE              as for the backend, in its order; default: app-config.yaml and app-config.local.yaml
  --against FOLDER           the root of another checkout, which git worktree add --detach FOLDER COMMIT makes
  --fail-on new-public|any   exits with 1 for a line with +; or for any difference
  --json                     prints the result as one JSON object
  --mock-env                 uses a made-up value for each variable that is not set and has no default
  --verbose                  also prints which settings are not compared, and why

Exit code: 0; 1 for what --fail-on names, or if no file has auth.apiGate; 2 if the files can not be compared.`,
  async run(options, output) {
    const failOn = readChoice(options, 'fail-on', ['new-public', 'any']);
    const after = await loadConfig(options, output);
    const before = await readBefore(after, options, output);

    const differences = compareSettings(before, after);
    output.add({ differences });
    output.out(
      ...differences.map(formatDifference),
      differences.length === 0 && 'No difference in what anybody may do',
    );
    if (options.verbose) {
      for (const [settings, why] of Object.entries(NOT_COMPARED)) {
        output.error(`Not compared: ${settings}: ${why}`);
      }
    }
    const failing = differences.filter(
      ({ sign }) => failOn === 'any' || sign === '+',
    );
    return after.isMissing || (failOn && failing.length > 0) ? 1 : 0;
  },
};

/**
 * Reads the same files of the other checkout.
 *
 * If the other checkout lacks a file that has settings of the gate now, nothing can be said to have been allowed: the other files may open
 * what that one had closed. The result then has none of these settings.
 */
async function readBefore(
  after: LoadedConfig,
  options: Options,
  output: Lines,
): Promise<LoadedConfig> {
  const paired = findInOtherCheckout(
    options.against ?? [],
    options.config ? after.files : defaultFiles(after.files[0]),
  );
  const config = compact(paired.map(({ other }) => other));
  const names = config.map(file => formatLocation({ file }));
  output.add({ against: names });
  const missing = after.files.filter(file => !find(paired, { file })?.other);
  output.error(
    `Read to compare with: ${names.join(', ')}`,
    ...missing.map(
      file => `${formatLocation({ file })} is not in ${options.against}`,
    ),
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
  const read = await readSources({ ...options, config });
  if (!isNew) {
    return readGate(read, options);
  }
  const [sources, mocked] = [read.sources, read.mocked].map(each =>
    each.map(source => ({ ...source, data: omit(source.data, CONFIG_KEY) })),
  );
  // These files alone may lack what the gate needs.
  const withMocks = { ...options, 'mock-env': true };
  return readGate({ ...read, sources, mocked }, withMocks);
}

/** Returns the files that Backstage reads without `--config`, in its order, whether or not they are there. */
function defaultFiles(first: string): string[] {
  const environments = (process.env.BACKSTAGE_ENV ?? '').split(',').map(trim);
  const names = ['', ...compact(environments).map(name => `.${name}`)];
  return ['.yaml', '.local.yaml'].flatMap(end =>
    names.map(name =>
      path.join(path.dirname(first), `app-config${name}${end}`),
    ),
  );
}
