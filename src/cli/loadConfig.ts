import { readFileSync } from 'node:fs';
import { Config, ConfigReader } from '@backstage/config';
import { ConfigSourceData, ConfigSources } from '@backstage/config-loader';
import { isError } from '@backstage/errors';
import type { JsonObject, JsonValue } from '@backstage/types';
import { LineCounter, parseDocument } from 'yaml';
import {
  ApiGateConfig,
  CONFIG_KEY,
  readApiGateConfig,
} from '../config/readApiGateConfig';
import { CliError } from './CliError';
import { locate } from './locate';
import type { Location } from './output';

/** Replaces variables that are not set. The value is valid as a plugin id and as a segment of a path, and long enough for a token. */
const MOCK_VALUE = 'mock-env-of-a-variable-that-is-not-set';

/** Settings that `--mock-env` checks even if they hold a variable that is not set. */
const ALWAYS_CHECKED = ['allow', 'expect'];

/** The configuration that a backend with these files would have. */
export interface LoadedConfig {
  gate: ApiGateConfig;
  /** The whole configuration. */
  root: Config;
  /** The sources in the backend's order: a later one overrides an earlier one. */
  sources: ConfigSourceData[];
  /** Config paths that were left out, since they hold variables that are not set. */
  leftOut: string[];
}

export interface LoadOptions {
  /** The files in the order of the backend's `--config` options; none for the default files. */
  files: string[];
  mockEnv: boolean;
}

/** @throws CliError if the backend would not start with this configuration */
export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  const sources = await readSources(options);
  const merged = ConfigReader.fromConfigs(sources);
  const { config, leftOut } = options.mockEnv
    ? withoutMocked(merged.getOptional<JsonObject>() ?? {})
    : { config: merged, leftOut: [] };
  try {
    return { gate: readApiGateConfig(config), root: merged, sources, leftOut };
  } catch (error) {
    throw configError(error, sources);
  }
}

async function readSources({ files, mockEnv }: LoadOptions) {
  let description = '';
  try {
    const source = ConfigSources.default({
      argv: files.flatMap(file => ['--config', file]),
      watch: false,
      ...(mockEnv && {
        substitutionFunc: async name => process.env[name]?.trim() ?? MOCK_VALUE,
      }),
    });
    description = String(source);
    for await (const { configs } of source.readConfigData()) {
      return configs;
    }
    return [];
  } catch (error) {
    // Errors of the YAML parser do not name the file, and the description of the sources does.
    for (const [, file] of description.matchAll(/path="([^"]+)"/g)) {
      assertYaml(file);
    }
    throw new CliError(firstLineOf(error));
  }
}

/** @throws CliError that names the line of a file where its YAML is invalid */
function assertYaml(file: string): void {
  let text;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return;
  }
  const lines = new LineCounter();
  const [error] = parseDocument(text, { lineCounter: lines }).errors;
  if (error) {
    throw new CliError(firstLineOf(error).replace(/:$/, ''), {
      file,
      line: lines.linePos(error.pos[0]).line,
    });
  }
}

/** Returns an error's message without the lines after the first, which may quote the configuration. */
function firstLineOf(error: unknown): string {
  return (isError(error) ? error.message : String(error)).split('\n')[0];
}

/** Leaves out the settings that can not be checked without the variables that are not set. */
function withoutMocked(data: JsonObject) {
  const leftOut: string[] = [];
  const auth = asObject(data.auth);
  const settings = Object.entries(asObject(auth.apiGate)).filter(
    ([key, value]) => {
      const isMocked = !ALWAYS_CHECKED.includes(key) && holdsMock(value);
      if (isMocked) {
        leftOut.push(`${CONFIG_KEY}.${key}`);
      }
      return !isMocked;
    },
  );
  const apiGate: JsonObject = Object.fromEntries(settings);
  const backend = { ...asObject(data.backend) };
  const app = { ...asObject(data.app) };
  if (backend.baseUrl === undefined || holdsMock(backend.baseUrl)) {
    backend.baseUrl = 'http://backstage.invalid';
    leftOut.push('backend.baseUrl');
    // Leave the cookie out too: its attributes are checked against the address.
    if (apiGate.cookie !== undefined) {
      delete apiGate.cookie;
      leftOut.push(`${CONFIG_KEY}.cookie`);
    }
  }
  if (holdsMock(app.baseUrl)) {
    delete app.baseUrl;
    leftOut.push('app.baseUrl');
  }
  const config = new ConfigReader({
    ...data,
    app,
    backend,
    // Keep a value of another type, so that the error names it.
    auth: isObject(auth.apiGate) ? { ...auth, apiGate } : auth,
  });
  return { config, leftOut: [...new Set(leftOut)] };
}

/** Whether a value holds a variable that is not set. */
export function holdsMock(value: JsonValue | undefined): boolean {
  return JSON.stringify(value)?.includes(MOCK_VALUE) ?? false;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asObject(value: JsonValue | undefined): JsonObject {
  return isObject(value) ? value : {};
}

function configError(error: unknown, sources: ConfigSourceData[]): CliError {
  const message = firstLineOf(error);
  const hint = /baseUrl|Invalid URL/.test(message)
    ? ': set it, or give --mock-env where it comes from a variable that is not set here'
    : '';
  return new CliError(message + hint, locateMessage(message, sources));
}

/** Finds the place in the files for a message about a setting, by the config path that the message begins with. */
export function locateMessage(
  message: string,
  sources: ConfigSourceData[],
): Location | undefined {
  const [configPath] = message.match(/^[a-z]+(\.[\w/[\]-]+)+/i) ?? [];
  if (!configPath) {
    return undefined;
  }
  const keys = configPath
    .split(/[.[\]]+/)
    .filter(Boolean)
    .map(key => (/^\d+$/.test(key) ? Number(key) : key));
  const end = keys.findIndex(key => typeof key === 'number');
  const file = sourcesOf(
    sources,
    (end === -1 ? keys : keys.slice(0, end)) as string[],
  ).at(-1)?.path;
  return file ? locate(file, keys) : undefined;
}

/**
 * Returns the sources that have a value at a config path, in the backend's order: if the value is a list, the last one is in
 * force.
 */
export function sourcesOf(
  sources: ConfigSourceData[],
  keys: string[],
): (ConfigSourceData & { value: JsonValue })[] {
  return sources.flatMap(source => {
    let value: JsonValue | undefined = source.data;
    for (const key of keys) {
      value = asObject(value)[key];
    }
    return value === undefined ? [] : [{ ...source, value }];
  });
}
