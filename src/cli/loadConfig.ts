import { Config, ConfigReader } from '@backstage/config';
import { ConfigSourceData, ConfigSources } from '@backstage/config-loader';
import type { JsonObject } from '@backstage/types';
import { cloneDeep, pick } from 'lodash';
import { pathsOf } from '../config/configFiles';
import { createLocate, formatLocation, readYaml } from '../config/locate';
import {
  ApiGateConfig,
  CONFIG_KEY,
  readApiGateConfig,
} from '../config/readApiGateConfig';
import { asObject } from '../config/values';
import { asList } from '../findings/backstageSettings';
import { CliError, firstLineOf, Options } from './Command';
import type { DeclaredInCode } from './fetchPolicy';
import type { Lines } from './output';
import { refuseUnreadFiles } from './unreadFiles';

/** Replaces variables that are not set. The value is valid as a plugin id and as a segment of a path, and long enough for a token. */
const MOCK_VALUE = 'mock-env-of-a-variable-that-is-not-set';

/** Settings that `--mock-env` checks even if they hold a variable that is not set. */
const ALWAYS_CHECKED = ['allow', 'expect'];

/** The configuration that a backend with these files would have. */
export interface LoadedConfig {
  gate: ApiGateConfig;
  /** The whole configuration. */
  root: Config;
  /** The sources in the backend's order: a later one overrides an earlier one. An empty file is none. */
  sources: ConfigSourceData[];
  /** The absolute paths of the files that were read, without those that they include. */
  files: string[];
  /** Finds the place for a message about a setting. */
  locate: ReturnType<typeof createLocate>;
  /** Config paths that were left out, since they hold variables that are not set. */
  leftOut: string[];
  /** The policy of a running backend; `undefined` if it is not known. */
  declared?: DeclaredInCode;
}

/**
 * Reads the configuration, and lists the files that it is from.
 *
 * @param declared - the policy of the running backend, where it is known
 * @param purpose - what the files are read for, where the command has read others before
 * @throws CliError if the backend would not start with this configuration, or if other files may belong to it
 */
export async function loadConfig(
  options: Options,
  output: Lines,
  declared?: DeclaredInCode,
  purpose = '',
): Promise<LoadedConfig> {
  const read = await readSources(options);
  const { sources, files } = read;
  const variables = sources.some(source => source.path === undefined);
  output.error(
    `Read ${purpose}${[
      ...files.map(file => formatLocation({ file })),
      ...(variables ? ['variables of the environment (APP_CONFIG_…)'] : []),
    ].join(', ')}`,
  );
  if (!options.config) {
    refuseUnreadFiles(files);
  }
  return readGate(read, options, declared);
}

/** @throws CliError if the backend would not start with this configuration */
export function readGate(
  { sources, files }: Pick<LoadedConfig, 'sources' | 'files'>,
  options: Options,
  declared?: DeclaredInCode,
): LoadedConfig {
  const locate = createLocate(sources);
  const root = ConfigReader.fromConfigs(sources);
  const { config, leftOut } = options['mock-env']
    ? withoutMocked(cloneDeep(root.getOptional<JsonObject>() ?? {}))
    : { config: root, leftOut: [] };
  try {
    const known = declared?.installed.concat(pluginsElsewhere(root));
    const gate = readApiGateConfig(config, {
      isKnownPlugin: known && (id => known.includes(id) || holdsMock(id)),
    });
    return { gate, root, sources, files, locate, leftOut, declared };
  } catch (error) {
    const message = firstLineOf(error);
    const hint = /^Missing .*baseUrl/.test(message)
      ? ': set it, or give --mock-env where it comes from a variable that is not set here'
      : '';
    throw new CliError(message + hint, locate(message));
  }
}

/** Returns the ids of the plugins of other backends, in lower case. */
export function pluginsElsewhere(root: Config): string[] {
  const endpoints = root.getOptionalConfigArray('discovery.endpoints') ?? [];
  return endpoints.flatMap(endpoint =>
    endpoint.getStringArray('plugins').map(id => id.toLowerCase()),
  );
}

/** @throws CliError if a file can not be read */
export async function readSources(options: Options) {
  const files: string[] = [];
  try {
    const source = ConfigSources.default({
      argv: options.config?.flatMap(file => ['--config', file]) ?? [],
      watch: false,
      ...(options['mock-env'] && {
        substitutionFunc: async name => process.env[name]?.trim() ?? MOCK_VALUE,
      }),
    });
    files.push(...pathsOf(source));
    for await (const { configs } of source.readConfigData()) {
      return { sources: configs, files };
    }
    return { sources: [], files };
  } catch (error) {
    // Errors of the YAML parser do not name the file.
    files.forEach(assertYaml);
    throw new CliError(firstLineOf(error));
  }
}

/** @throws CliError that names the line of a file where its YAML is invalid */
function assertYaml(file: string): void {
  const yaml = readYaml(file);
  const [error] = yaml?.document.errors ?? [];
  if (yaml && error) {
    throw new CliError(firstLineOf(error).replace(/:$/, ''), {
      file,
      line: yaml.lineAt(error.pos[0]),
    });
  }
}

/** Deletes the settings that can not be checked without the variables that are not set. */
function withoutMocked(data: JsonObject) {
  const app = asObject(data.app);
  const auth = asObject(data.auth);
  const backend = asObject(data.backend);
  const apiGate = asObject(auth.apiGate);
  const leftOut: string[] = [];
  const leaveOut = (path: string, settings: typeof app, key: string) => {
    delete settings[key];
    leftOut.push(`${path}.${key}`);
  };
  for (const [key, value] of Object.entries(apiGate)) {
    if (!ALWAYS_CHECKED.includes(key) && holdsMock(value)) {
      leaveOut(CONFIG_KEY, apiGate, key);
    }
  }
  // A token itself may be a variable that is not set.
  const subjects = asList(asObject(backend.auth).externalAccess).map(entry =>
    pick(entry, ['type', 'options.subject', 'options.subjectPrefix']),
  );
  if (apiGate.tokens !== undefined && holdsMock(subjects)) {
    leaveOut(CONFIG_KEY, apiGate, 'tokens');
  }
  if (backend.baseUrl === undefined || holdsMock(backend.baseUrl)) {
    leaveOut('backend', backend, 'baseUrl');
    backend.baseUrl = 'http://backstage.invalid';
    // Leave the cookie out too: its attributes are checked against the address.
    if (apiGate.cookie !== undefined) {
      leaveOut(CONFIG_KEY, apiGate, 'cookie');
    }
  }
  if (holdsMock(app.baseUrl)) {
    leaveOut('app', app, 'baseUrl');
  }
  const config = new ConfigReader({
    ...data,
    ...({ app, auth, backend } as JsonObject),
  });
  return { config, leftOut };
}

/** Whether a value holds a variable that is not set. */
export function holdsMock(value: unknown): boolean {
  return JSON.stringify(value)?.includes(MOCK_VALUE) ?? false;
}
