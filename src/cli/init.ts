import { compact, difference, isEqual } from 'lodash';
import { parse } from 'yaml';
import { DAY_MS } from '../gate/util/time';
import { CONFIG_KEY } from '../settings/read/readApiGateConfig';
import { asObject } from '../settings/read/values';
import { printable } from '../settings/logLine';
import { Command, Options } from './Command';
import { LoadedConfig, loadConfig, readGate } from './loadConfig';
import { formatLocation } from '../settings/files/locate';
import {
  formatDay,
  isActive,
  ProposalFacts,
  proposeSettings,
} from './proposeSettings';
import { describeOthers, parseFile } from './unreadFiles';

/** The keys that a block may set: none of them opens anything. */
const KEYS = ['mode', 'until', 'cookie', 'operators', 'expect', 'tokens'];

export const init: Command = {
  help: `api-gate init [--config FILE]...

Prints a block of auth.apiGate to begin with, in report-only, for the backend with these files. It writes no
file. The block opens nothing, and has only what the configuration lacks: each allow rule in it is a comment.

  --config FILE      as for the backend, in its order; default: app-config.yaml and app-config.local.yaml
  --mock-env         uses a made-up value for each variable that is not set and has no default
  --policy URL       adds what worked at a running backend in report-only, from GET …/api/auth/api-gate/v1/policy
  --token-env NAME   the variable with the token for --policy

Exit code: 0, or 2 if the configuration can not be read.`,
  async run(options, output) {
    const loaded = await loadConfig(options, output);
    const { declared, root } = loaded;
    const facts: ProposalFacts = {
      ...loaded,
      present: asObject(root.getOptional(CONFIG_KEY)),
      installed: declared?.installed ?? readDependedPlugins(),
      today: Math.floor(Date.now() / DAY_MS),
    };
    const lines = formatBlock(facts, options.policy).map(printable);
    assertOpensNothing(lines.join('\n'), loaded, options);
    output.out(...lines);
    const others = !options.config && describeOthers(loaded.files);
    output.error(others, ...describeNext(facts));
    return 0;
  },
};

function formatBlock(facts: ProposalFacts, policy?: string): string[] {
  const settings = proposeSettings(facts);
  const files = facts.files.map(file => formatLocation({ file })).join(', ');
  const server = policy ? ` and the policy of ${new URL(policy).origin}` : '';
  return [
    `# Made by api-gate init on ${formatDay(facts.today)} from ${files}${server}. It opens nothing as it is.`,
    // A key with nothing but comments below it has the value null.
    ...(settings.some(isActive)
      ? [
          'auth: # if the file has this key already, add what is below it there',
          '  apiGate:',
        ]
      : []),
    ...settings.slice(1).map(line => line && `    ${line}`),
  ];
}

/** @throws Error if the block is no valid configuration, or if it opens anything */
function assertOpensNothing(
  text: string,
  loaded: LoadedConfig,
  options: Options,
): void {
  const data = parse(text) ?? {};
  const sources = [...loaded.sources, { context: 'api-gate init', data }];
  const { gate } = readGate({ ...loaded, sources }, options);
  const others = difference(Object.keys(data.auth?.apiGate ?? {}), KEYS);
  const isSame = isEqual(gate.allow, loaded.gate.allow);
  if (others.length > 0 || !isSame) {
    throw new Error(`The block would change ${[...others, 'allow'][0]}`);
  }
}

/** Returns the plugins that the workspace depends on, of the command's working directory. */
function readDependedPlugins(): string[] {
  const { dependencies } = asObject(parseFile('package.json').data);
  return Object.keys(asObject(dependencies)).flatMap(
    name => name.match(/^@backstage\/plugin-(.+)-backend$/)?.[1] ?? [],
  );
}

function describeNext({ declared, placeOf, root }: ProposalFacts): string[] {
  const place = placeOf(CONFIG_KEY);
  return compact([
    root.has(CONFIG_KEY) &&
      `${CONFIG_KEY} is there already${place ? ` (${place})` : ''}: the block has only what is missing there`,
    !declared &&
      'Without --policy, the block has no requests that were asked for: run this again once the backend was in report-only for some days',
    declared &&
      !declared.reportOnly &&
      'The backend of --policy enforces, so that it has no list of requests that would stop working, and the block no mode',
    'Then run api-gate check with the same files',
  ]);
}
