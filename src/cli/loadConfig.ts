import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { Config, ConfigReader } from '@backstage/config';
import { ConfigSourceData, ConfigSources } from '@backstage/config-loader';
import { find, uniq } from 'lodash';
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
import { firstLineOf, messagesOf } from '../settings/read/mistakes';
import { asObject, didYouMean } from '../settings/read/values';
import { CliError, Options } from './Command';
import { leaveOutVariables, readLiteral } from './literalConfig';
import type { Lines } from './output';
import { findUnreadFiles } from './unreadFiles';

/** The configuration of a backend with these files. */
export type LoadedConfig = Awaited<ReturnType<typeof loadConfig>>;

/**
 * Reads the configuration as its files have it, without a variable of the environment, and lists the files.
 *
 * @throws CliError if the backend would not start with this configuration, or if other files may belong to it
 */
export async function loadConfig(options: Options, output: Lines) {
  const files = options.config?.map(file => path.resolve(file)) ?? [
    // The file of the repository that Backstage reads without `--config`. Others are those of one machine or environment.
    pathsOf(ConfigSources.default({ argv: [] }))[0],
  ];
  const sources: ConfigSourceData[] = [];
  for (const file of files) {
    sources.push(...(await readFile(file)));
  }
  const unread = findUnreadFiles(files);
  if (!options.config && unread.length > 0) {
    const [{ file, text }] = unread;
    throw new CliError(
      `${text}, and the command has not read it: give --config for each file that the backend reads, in its order`,
      { file },
    );
  }
  const names = files.map(file => formatLocation({ file }));
  output.error(
    `Read ${names.join(', ')}`,
    path.basename(files.slice(1).at(-1) ?? '') === 'app-config.yaml' &&
      `${names.at(-1)} is read last, and overrides the others: give it first, as the backend has it`,
    unread.length > 0 &&
      `Not read: ${unread.map(({ text }) => text).join('; ')}`,
  );
  output.add({ files: names, unread: unread.map(({ name }) => name) });
  return readSources(sources);
}

function readSources(sources: ConfigSourceData[]) {
  const root = ConfigReader.fromConfigs(sources);
  const { asWritten, config, variables } = leaveOutVariables(root);
  const locate = createLocate(sources);
  const read = (isDevelopment: boolean): ApiGateConfig => {
    try {
      return readApiGateConfig(config, { isDevelopment });
    } catch (error) {
      const [first, ...others] = messagesOf(error).map(text => {
        const message = asWritten(text);
        return { message, location: locate(message) };
      });
      throw new CliError(first.message, first.location, others);
    }
  };
  return {
    /** The whole configuration, without what holds a variable. */
    root: config,
    /** `auth.apiGate` in production. */
    gate: read(false),
    /** `auth.apiGate` in development, where the guest provider signs everybody in. */
    inDevelopment: read(true),
    /** The settings that were left out, since they hold a variable. */
    variables,
    /** The config paths of what was left out. */
    notChecked: uniq(variables.map(({ what }) => what)),
    /** Says that no file has `auth.apiGate`, and what to do; `undefined` if one has it. */
    missing: describeMissing(root),
    asWritten,
    locate,
    /** Formats the place of a setting, by its config path; `undefined` if no file has it. */
    placeOf(configPath: string) {
      const place = locate(configPath);
      return place && formatLocation(place);
    },
  };
}

function describeMissing(root: Config): string | undefined {
  if (root.getOptional(CONFIG_KEY) !== undefined) {
    return undefined;
  }
  const misspelt = Object.keys(asObject(root.getOptional('auth'))).filter(key =>
    didYouMean(key, ['apiGate']),
  );
  return `${CONFIG_KEY} is in none of the files read: ${misspelt.map(key => `correct auth.${key}, or `)}give --config for each file that the backend reads`;
}

async function readFile(file: string): Promise<ConfigSourceData[]> {
  if (!existsSync(file)) {
    throw new CliError(
      `${formatLocation({ file })} is not there${findMissing(file)}`,
    );
  }
  try {
    return await readLiteral(file);
  } catch (error) {
    // Errors of the YAML parser do not name the file.
    assertYaml(file);
    throw new CliError(firstLineOf(error), { file });
  }
}

/** Returns a note about where a file is that is not there; empty if none is found. */
function findMissing(missing: string): string {
  const name = path.relative(process.cwd(), missing);
  const above = ['..', '../..', '../../..'].map(up => path.join(up, name));
  const found = above.find(file => existsSync(file));
  const { base, dir } = path.parse(missing);
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
