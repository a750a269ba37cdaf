/** An entry of `auth.apiGate.allow`, checked. */
export interface AllowRule {
  /** Id of the plugin, lower case. */
  plugin: string;
  /**
   * Relative to the plugin: an exact path, or a subtree with a trailing `/**`. A segment `*` stands for exactly one segment,
   * whatever its text.
   */
  path: string;
  /** Upper case, without duplicates; `GET` implies `HEAD`. `WEBSOCKET` stands for an upgrade. */
  methods: string[];
  reason?: string;
  /** The time from which on the rule opens nothing, in milliseconds since 1970. Default: the rule does not end. */
  until?: number;
}

/** A path below a plugin: exact, or a subtree with a trailing `/**`. */
export type PluginPath = Pick<AllowRule, 'plugin' | 'path'>;

/** The ids that a rule may name. */
export const PLUGIN_ID = /^[a-z0-9_-]+$/;

export const ANY_SEGMENT = '*';

const SUBTREE = '/**';

/** The path of a rule without a trailing `/**`; `''` for the whole plugin. */
export function prefixOf({ path }: Pick<AllowRule, 'path'>): string {
  return path.endsWith(SUBTREE) ? path.slice(0, -SUBTREE.length) : path;
}

/** The segments of a rule's path without a trailing `/**`. */
export function segmentsOf(rule: Pick<AllowRule, 'path'>): string[] {
  return prefixOf(rule).split('/').filter(Boolean);
}

export function isSubtree({ path }: Pick<AllowRule, 'path'>): boolean {
  return path.endsWith(SUBTREE);
}

/** The methods that a rule opens. `HEAD` is there twice if the rule has it beside `GET`. */
export function openedMethods({
  methods,
}: Pick<AllowRule, 'methods'>): string[] {
  return methods.flatMap(method =>
    method === 'GET' ? ['GET', 'HEAD'] : [method],
  );
}

/** The end of a rule; `Infinity` if it has none. */
export function endOf({ until = Infinity }: Partial<AllowRule>): number {
  return until;
}
