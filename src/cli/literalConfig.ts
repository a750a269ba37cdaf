import { Config, ConfigReader } from '@backstage/config';
import { ConfigSourceData, FileConfigSource } from '@backstage/config-loader';
import type { JsonObject } from '@backstage/types';
import { get, map, partition, set, unset } from 'lodash';
import { parse, stringify } from 'yaml';
import type { Fact } from '../operators/facts/Fact';
import { CONFIG_KEY } from '../settings/read/readApiGateConfig';
import { readEntries } from '../settings/read/readExternalTokens';
import { asObject, isObject } from '../settings/read/values';

// The command reads no variable of the environment. What it prints is the same on each machine, and holds no secret of one.

/** The text of a variable, as Backstage replaces it. `$${…}` is text. */
const VARIABLE = /(?<!\$)\$\{[^{}]*\}/;

/**
 * Reads a file of the configuration, with what it includes. A variable stands in its value as the file has it, with its default:
 * `${NAME:-default}`.
 */
export async function readLiteral(file: string): Promise<ConfigSourceData[]> {
  const source = FileConfigSource.create({
    path: file,
    watch: false,
    // Backstage takes `$$` for a `$` that begins no variable.
    parser: async ({ contents }) => ({ result: escape(parse(contents)) }),
    // Called for variables of included files, and for `$env`.
    substitutionFunc: async name => `\${${name}}`,
  });
  for await (const { configs } of source.readConfigData()) {
    return configs;
  }
  return [];
}

function escape(value: any): any {
  if (typeof value === 'string') {
    // A function, since `$$` stands for one `$` in a replacement.
    return value.replaceAll('${', () => '$${');
  }
  if (Array.isArray(value)) {
    return value.map(escape);
  }
  return isObject(value)
    ? Object.fromEntries(
        Object.entries(value).map(([key, each]) =>
          // The path of an included file may not hold a variable.
          [key, /^\$(file|include|env)$/.test(key) ? each : escape(each)],
        ),
      )
    : value;
}

/** Returns whether a value holds a variable. */
function holdsVariable(value: unknown): boolean {
  return VARIABLE.test(JSON.stringify(value) ?? '');
}

/** Settings of Backstage that let somebody in, or not, wherever they stand in these sections. */
const SECTIONS = ['auth', 'backend.auth', 'permission', 'proxy'];
const SWITCH = /^(enabled|credentials|ws|dangerously\w+)$/;

/** Stands for the host of an address that holds a variable, or that no file has. */
const UNKNOWN_HOST = 'backstage.invalid';

/** A configuration that the gate can read without the variables, and a list of what that lacks. */
interface LiteralConfig {
  config: Config;
  /** Each entry of a list, and each setting, that holds a variable: as it is written. */
  variables: Fact[];
  /** Replaces the indices of entries in a text by those that the entries have in their files. */
  asWritten(text: string): string;
}

/** Leaves out of a configuration what holds a variable, so that the gate can read it. */
export function leaveOutVariables(root: Config): LiteralConfig {
  const data = structuredClone(root.getOptional<JsonObject>() ?? {});
  const gate = asObject(get(data, CONFIG_KEY));
  const variables: Fact[] = [];
  const leaveOut = (path: string, value: unknown) => {
    if (value !== undefined) {
      variables.push({ kind: 'variable', what: path, who: flow(value) });
    }
  };
  const remove = (key: string) => {
    for (const value of [get(gate, key)].flat()) {
      leaveOut(`${CONFIG_KEY}.${key}`, value);
    }
    unset(gate, key);
  };
  // Neither setting is valid without the other.
  if (holdsVariable([gate.mode, gate.until])) {
    remove('mode');
    remove('until');
  }
  // The subjects of tokens are compared with these.
  if (holdsVariable(map(readEntries(root), 'options.subject'))) {
    remove('tokens');
  }
  for (const key of ['app', 'backend']) {
    const section = asObject(data[key]);
    const { baseUrl } = section;
    const isMissing = baseUrl === undefined && key === 'backend';
    if (isMissing || holdsVariable(baseUrl)) {
      leaveOut(`${key}.baseUrl`, baseUrl ?? 'missing');
      const scheme = /^http:/.test(String(baseUrl)) ? 'http' : 'https';
      set(data, `${key}.baseUrl`, `${scheme}://${UNKNOWN_HOST}`);
      // The domain is compared with the host.
      remove('cookie.domain');
    }
  }
  for (const section of SECTIONS) {
    leaveOutSwitches(get(data, section), section, leaveOut);
  }
  const kept = new Map<string, number[]>();
  leaveOutOf(gate, CONFIG_KEY, leaveOut, kept);
  return {
    config: new ConfigReader(data, 'the files'),
    variables,
    asWritten: text =>
      text.replace(
        /(auth\.apiGate\.[\w.]+)\[(\d+)\]/g,
        (_, list, i) => `${list}[${kept.get(list)?.[i] ?? i}]`,
      ),
  };
}

function leaveOutOf(
  settings: Record<string, unknown>,
  path: string,
  leaveOut: (path: string, value: unknown) => void,
  keptIn: Map<string, number[]>,
): void {
  for (const [key, value] of Object.entries(settings)) {
    const at = `${path}.${key}`;
    if (Array.isArray(value)) {
      const [left, kept] = partition(Object.keys(value).map(Number), i =>
        holdsVariable(value[i]),
      );
      for (const i of left) {
        leaveOut(at, value[i]);
      }
      settings[key] = kept.map(i => value[i]);
      keptIn.set(at, kept);
    } else if (isObject(value)) {
      leaveOutOf(value, at, leaveOut, keptIn);
    } else if (holdsVariable(value)) {
      leaveOut(at, value);
      delete settings[key];
    }
  }
}

function leaveOutSwitches(
  settings: unknown,
  path: string,
  leaveOut: (path: string, value: unknown) => void,
): void {
  for (const [key, value] of Object.entries(asObject(settings))) {
    const at = `${path}.${key}`;
    for (const each of [value].flat()) {
      leaveOutSwitches(each, at, leaveOut);
    }
    if (SWITCH.test(key) && at !== CONFIG_KEY && holdsVariable(value)) {
      leaveOut(at, value);
      unset(settings, key);
    }
  }
}

/** Formats a value as YAML on one line. */
function flow(value: unknown): string {
  const options = { collectionStyle: 'flow', lineWidth: 0 } as const;
  return stringify(value, { ...options, sortMapEntries: true }).trim();
}
