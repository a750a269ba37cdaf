import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { Config, ConfigReader } from '@backstage/config';
import { ConfigSources, EnvFunc } from '@backstage/config-loader';
import { compact, find, get, map, noop, pick, pickBy } from 'lodash';
import { pathsOf } from '../settings/files/configFiles';
import {
  createLocate,
  formatLocation,
  readYaml,
} from '../settings/files/locate';
import {
  ApiGateConfig,
  CONFIG_KEY,
  readApiGateConfig,
} from '../settings/read/readApiGateConfig';
import { asObject, didYouMean } from '../settings/read/values';
import { CliError, firstLineOf, Options } from './Command';
import { DeclaredInCode, fetchPolicy } from './fetchPolicy';
import {
  holdsMock,
  mockOf,
  noteUnset,
  withDefaults,
  withoutMocked,
} from './mockEnv';
import type { Lines } from './output';
import { findUnreadFiles, refuseOtherFiles } from './unreadFiles';

export const UNKNOWN_MODE = `${CONFIG_KEY}.mode is not known, since it or until holds a variable that is not set`;

/** The configuration that a backend with these files would have. */
export type LoadedConfig = ReturnType<typeof readGate>;

/**
 * Reads the configuration, and lists the files that it is from.
 *
 * @throws CliError if the backend would not start with this configuration, or if other files may belong to it
 */
export async function loadConfig(options: Options, output: Lines) {
  const declared = await fetchPolicy(options);
  const read = await readSources(options);
  const { sources, files } = read;
  const names = files.map(file => formatLocation({ file }));
  const hasVariables = sources.some(source => source.path === undefined);
  const more = hasVariables && 'variables of the environment (APP_CONFIG_…)';
  const last = files.slice(1).at(-1) ?? '';
  output.error(
    `Read ${compact([...names, more]).join(', ')}`,
    path.basename(last) === 'app-config.yaml' &&
      `${formatLocation({ file: last })} is read last, and overrides the others: give it first, as the backend has it`,
    await describeUnset(options),
  );
  refuseOtherFiles(files, options.config !== undefined);
  const loaded = readGate(read, options, declared);
  const { text, ...mode } = describeMode(loaded);
  const unread = findUnreadFiles(files);
  output.add({ ...mode, files: names, unread: map(unread, 'name') });
  const others = map(unread, 'text').join('; ');
  output.error(text, others !== '' && `Not read: ${others}`);
  return loaded;
}

/** Describes the settings of the gate that hold variables which are not set: without --mock-env, Backstage reads these values as missing. */
async function describeUnset(options: Options) {
  // No file has a made-up name.
  const read = await readSources({ ...options, 'mock-env': true }).catch(noop);
  const data = ConfigReader.fromConfigs(read?.sources ?? []).getOptional();
  const unset = Object.keys(pickBy(asObject(get(data, CONFIG_KEY)), holdsMock));
  return unset.length === 0 || options['mock-env']
    ? undefined
    : `Variables that are not set are left out of ${CONFIG_KEY}.${unset.join(', ')}: set them as the backend has them, or give --mock-env`;
}

function describeMode({ gate, isMissing, isModeUnknown }: LoadedConfig) {
  if (isMissing) {
    const text = `${CONFIG_KEY} is in none of the files read: with these, the gate enforces and has no rule`;
    return { mode: 'not-configured', text };
  }
  return isModeUnknown
    ? { mode: 'unknown', text: UNKNOWN_MODE }
    : { ...pick(gate, 'mode', 'until'), text: formatMode(gate) };
}

export function formatMode({ mode, until }: ApiGateConfig): string {
  const end = until ? ` until ${until.toISOString()}` : '';
  return `${CONFIG_KEY}.mode is ${mode}${end}`;
}

/** The ids of plugins. One that holds a variable which is not set may be any of them. */
class KnownPlugins extends Set<string> {
  override has(id: string): boolean {
    return super.has(id) || holdsMock(id);
  }
}

/** @throws CliError if the backend would not start with this configuration */
export function readGate(
  read: Awaited<ReturnType<typeof readSources>>,
  options: Options,
  declared?: DeclaredInCode,
) {
  const { sources, mocked } = read;
  const locate = createLocate(sources);
  const root = ConfigReader.fromConfigs(sources);
  const { config, leftOut, isModeUnknown } = options['mock-env']
    ? withoutMocked(root, ConfigReader.fromConfigs(mocked))
    : { config: root, leftOut: [], isModeUnknown: false };
  try {
    const gate = readApiGateConfig(config, {
      knownPlugins:
        declared &&
        new KnownPlugins([...declared.installed, ...pluginsElsewhere(root)]),
    });
    return {
      ...read,
      gate,
      root,
      locate,
      /** Formats the place of a setting, by its config path; `undefined` if no file has it. */
      placeOf(configPath: string) {
        const place = locate(configPath);
        return place && formatLocation(place);
      },
      /** Config paths that were left out, since they hold variables that are not set. */
      leftOut,
      /** Whether a variable that is not set decides whether the gate refuses. */
      isModeUnknown,
      /** Whether no source has `auth.apiGate`. */
      isMissing: root.getOptional(CONFIG_KEY) === undefined,
      declared,
    };
  } catch (error) {
    const message = firstLineOf(error);
    const hint = /^Missing .*baseUrl/.test(message)
      ? ': set it, or give --mock-env where it comes from a variable that is not set here'
      : noteUnset(get(root.getOptional(), message.split(' ')[0]));
    throw new CliError(message + hint, locate(message));
  }
}

export function pluginsElsewhere(root: Config): string[] {
  const endpoints = root.getOptionalConfigArray('discovery.endpoints') ?? [];
  return endpoints.flatMap(endpoint =>
    endpoint.getStringArray('plugins').map(id => id.toLowerCase()),
  );
}

/**
 * Reads the sources of the configuration, the weakest first, and the absolute paths of its files, without those that they include.
 *
 * @returns as `mocked`, with `--mock-env`, the sources with a made-up value for each variable that is not set, even if it has a default
 * @throws CliError if a file can not be read
 */
export async function readSources(options: Options) {
  if (!options['mock-env']) {
    const { sources, files } = await readWith(options);
    return { sources, mocked: sources, files };
  }
  const valueOr = (other: (name: string) => string): EnvFunc => {
    return async name => process.env[name]?.trim() ?? other(name);
  };
  const read = await readWith(options, valueOr(mockOf));
  const empty = await readWith(
    options,
    valueOr(() => ''),
  );
  const sources = read.sources.map((source, i) => ({
    ...source,
    data: withDefaults(source.data, empty.sources[i].data),
  }));
  return { sources, mocked: read.sources, files: read.files };
}

async function readWith({ config = [] }: Options, substitutionFunc?: EnvFunc) {
  const files: string[] = [];
  try {
    const source = ConfigSources.default({
      argv: config.flatMap(file => ['--config', file]),
      watch: false,
      substitutionFunc,
    });
    files.push(...pathsOf(source));
    for await (const { configs } of source.readConfigData()) {
      return { sources: configs, files };
    }
    return { sources: [], files };
  } catch (error) {
    // Errors of the YAML parser do not name the file.
    for (const file of files) {
      assertYaml(file);
    }
    throw new CliError(`${firstLineOf(error)}${findMissing(config)}`);
  }
}

/** Returns a note about where a file of `--config` is that is not there; empty if all are. */
function findMissing(config: string[]): string {
  const missing = config.find(file => !existsSync(file)) ?? '';
  const { dir, base } = path.parse(path.resolve(missing));
  const above = ['..', '../..', '../../..'].map(up => path.join(up, missing));
  const found = above.find(file => missing && existsSync(file));
  return found
    ? `: write --config ${found}, which is relative to the working directory`
    : didYouMean(base, existsSync(dir) ? readdirSync(dir) : []);
}

/** Remedies by the YAML parser's codes. */
const YAML_HINTS = {
  DUPLICATE_KEY:
    ': write this key once, and all that belongs to it below; each entry of a list begins with "- "',
  'INDENT|IMPLICIT_KEY':
    ': compare the indentation with that of the lines above; each entry of a list begins with "- ", and a space follows the colon of a key',
};

/** @throws CliError that names the line of a file where its YAML is invalid */
function assertYaml(file: string): void {
  const yaml = readYaml(file);
  const [error] = yaml?.document.errors ?? [];
  if (yaml && error) {
    const hint =
      find(YAML_HINTS, (_, codes) => new RegExp(codes).test(error.code)) ?? '';
    throw new CliError(`${firstLineOf(error).replace(/:$/, '')}${hint}`, {
      file,
      line: yaml.lineAt(error.pos[0]),
    });
  }
}
