import { CONFIG_KEY } from '../config/readApiGateConfig';
import type { DeclaredInCode } from './fetchPolicy';
import type { LoadedConfig } from './loadConfig';
import { formatLocation } from '../config/locate';

/** A setting that `api-gate init` prints. */
export interface ProposedSetting {
  /** Below `auth.apiGate`. */
  key: string;
  /** Says what the setting is for. */
  comments: string[];
  /** The lines of YAML that the configuration lacks. Some are comments. */
  lines: string[];
}

/** The facts that settings are proposed by. */
export interface ProposalFacts {
  loaded: LoadedConfig;
  /** The policy of a running backend; `undefined` without `--policy`. */
  declared: DeclaredInCode | undefined;
  /** `auth.apiGate` of the configuration. */
  present: Record<string, unknown>;
  /** Ids of the plugins that are known to be installed. */
  installed: readonly string[];
  /** Today as a number of days since the epoch, in UTC. */
  today: number;
}

/** Returns whether a line sets anything. */
export const isActive = (line: string) => /^ *[^ #]/.test(line);

/** Formats a setting. Where the configuration has its key already, every line is a comment, since a key can't be there twice. */
export function formatSetting(
  { key, comments, lines }: ProposedSetting,
  { loaded, present }: ProposalFacts,
): string[] {
  if (lines.length === 0) {
    return [];
  }
  const why = comments.map(comment => `# ${comment}`);
  if (!(key in present)) {
    return ['', ...why, ...lines];
  }
  const place = loaded.locate(`${CONFIG_KEY}.${key}`);
  return [
    '',
    ...why,
    `# ${key} is there already${place ? `, at ${formatLocation(place)}` : ''}. Missing there:`,
    ...lines.map(line => `# ${line.replace(/^( *)# /, '$1')}`),
  ];
}
