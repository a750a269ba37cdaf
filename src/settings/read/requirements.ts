import type { Config } from '@backstage/config';
import type { AllowRule } from '../../gate/rules/AllowRule';
import { asObject, check } from './values';

/**
 * Reads `requires` of a rule, and checks that the setting that it names is text or absent. Only whether the text is there is read,
 * never the text.
 */
export function readRequires(
  value: unknown,
  configPath: string,
  rootConfig: Config,
): string | undefined {
  check(
    value === undefined ||
      (typeof value === 'string' && readText(value, rootConfig) !== undefined),
    `${configPath} must be the config path of a setting that holds a text, such as events.modules.github.webhookSecret`,
  );
  return value;
}

/** Marks the rules whose requirement is not met: a rule with the mark opens nothing. */
export function markUnmet(
  rules: readonly AllowRule[],
  isMet: (requires: string) => boolean,
): AllowRule[] {
  return rules.map(rule =>
    rule.requires === undefined || isMet(rule.requires)
      ? rule
      : { ...rule, unmet: true },
  );
}

/** Whether a setting holds a text that is not empty. */
export function holdsText(key: string, rootConfig: Config): boolean {
  return Boolean(readText(key, rootConfig));
}

/** Returns the config paths of all settings that hold a text that is not empty, without those in lists. */
export function findTexts(rootConfig: Config): ReadonlySet<string> {
  const pathsIn = (value: unknown, path: string[]): string[] =>
    typeof value === 'string' && value.trim() !== ''
      ? [path.join('.')]
      : Object.entries(asObject(value)).flatMap(([key, child]) =>
          pathsIn(child, [...path, key]),
        );
  return new Set(pathsIn(rootConfig.getOptional(), []));
}

/** Reads a text without white space around it, and an absent one as `''`. The result is `undefined` for any other value. */
function readText(key: string, rootConfig: Config): string | undefined {
  try {
    const value = rootConfig.getOptional(key) ?? '';
    return typeof value === 'string' ? value.trim() : undefined;
  } catch {
    // A parent has a wrong type, or the key is none: Backstage allows no index of a list.
    return undefined;
  }
}
