import { readFileSync } from 'node:fs';
import { attempt } from 'lodash';
import { CONFIG_KEY } from '../settings/read/readApiGateConfig';
import { asObject } from '../settings/read/values';
import { DAY_MS } from '../gate/util/time';
import { CliError, Command } from './Command';
import { LoadedConfig, loadConfig } from './loadConfig';

/** How long the block leaves the gate in report-only. */
const REPORT_ONLY_DAYS = 14;

/** Plugins that nobody means to make public, not even in part. Backstage opens nothing of them to everybody, such as `/health`. */
const SENSITIVE_PLUGINS = [
  'catalog',
  'kubernetes',
  'mcp-actions',
  'scaffolder',
  'search',
  'techdocs',
  'user-settings',
];

export const init: Command = {
  help: `api-gate init [--config FILE]...

Prints a block of auth.apiGate to begin with, in report-only, for the backend with these files. The block opens
nothing. The command writes no file.

  --config FILE   as for the backend, in its order; default: app-config.yaml

Exit code: 0; 2 if the configuration can not be read, or if it has auth.apiGate already.`,
  async run(options, output) {
    const loaded = await loadConfig(options, output);
    if (!loaded.missing) {
      throw new CliError(
        `${CONFIG_KEY} is there already: api-gate check says what it lacks`,
        loaded.locate(CONFIG_KEY),
      );
    }
    output.out(...formatBlock(loaded));
    output.error('Then run api-gate check with the same files');
    return 0;
  },
};

/** Formats the block. It needs no other line of YAML, and can be pasted whole. */
function formatBlock({ gate, root }: LoadedConfig): string[] {
  const end = new Date(Date.now() + REPORT_ONLY_DAYS * DAY_MS).toISOString();
  const depended = readDependedPlugins();
  const closed = SENSITIVE_PLUGINS.filter(
    id => depended.includes(id) || root.has(id),
  );
  const { secure } = gate.cookie.attributes;
  const cookie = secure
    ? `    cookie:
      # Browsers accept a cookie of this name from this host only.
      name: __Host-token
`
    : '';
  return `auth: # If the file has this key already, add what is below it there.
  apiGate:
    # Until this day, 00:00 UTC, the gate refuses only ended sessions. Then it enforces by itself. Write a later day if its page still
    # lists requests that must work.
    mode: report-only
    until: '${end.slice(0, 10)}'
${cookie}    # What needs no credential. The page of the gate lists what has worked without one, as rules to paste here.
    allow: []
    #  - plugin: events
    #    path: /http/github
    #    methods: [POST]
    #    reason: GitHub signs these
    # Plugins of which no rule may open anything: the backend does not start with a rule for one.
    closed: [${closed.join(', ')}]
    # TODO: the users and groups that may open the page of the gate, and end the sessions of others.
    operators: [] # such as ['group:default/platform']
    # TODO: what external tokens may do, and until when. Once this key is there, a token without an entry may do nothing.
    # tokens:
    #  - subject: ci
    #    only: [{ plugin: catalog, path: /entities }]
    #    until: '${end.slice(0, 10)}'`.split('\n');
}

/** Returns the plugins of whose packages the working directory's package depends on: those of a backend in `packages/backend`. */
function readDependedPlugins(): string[] {
  const manifest = attempt(() =>
    JSON.parse(readFileSync('package.json', 'utf8')),
  );
  return Object.keys(asObject(asObject(manifest).dependencies)).flatMap(
    name => name.match(/^@backstage\/plugin-(.+)-backend$/)?.[1] ?? [],
  );
}
