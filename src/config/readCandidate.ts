import { isError } from '@backstage/errors';
import type { AllowRule } from './AllowRule';
import { readAllowRules } from './readAllowRules';
import { check, readObject } from './values';

/** `auth.apiGate.candidate`: the rules that are judged beside those in force, or the reason why they are not. */
export type Candidate = { allow: AllowRule[] } | { problem: string };

/**
 * Reads `auth.apiGate.candidate` as `allow` is read. Returns an error instead of throwing it: a wrong candidate must not keep a
 * backend from starting, or a policy from loading.
 */
export function readCandidate(
  value: unknown,
  configPath: string,
): Candidate | undefined {
  if (value === undefined) {
    return undefined;
  }
  try {
    const { allow } = readObject(value, configPath, ['allow']);
    check(
      allow !== undefined,
      `${configPath}.allow must be a list of rules, as auth.apiGate.allow would be; leave out ${configPath} for no candidate`,
    );
    return { allow: readAllowRules(allow, `${configPath}.allow`) };
  } catch (error) {
    return { problem: isError(error) ? error.message : String(error) };
  }
}
