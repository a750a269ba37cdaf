import { InputError } from '@backstage/errors';
import type { ApiGateConfig } from '../config/readApiGateConfig';
import type { Expectation } from '../config/readExpectations';
import { AllowList } from './AllowList';
import { AllowRule } from '../config/AllowRule';
import { classifyRoute } from './classifyRoute';
import { findNearestRule } from './findNearestRule';

/** An entry of `auth.apiGate.expect` that the rules do not fulfil. */
export interface FailedExpectation {
  /** The index in `auth.apiGate.expect`. */
  index: number;
  /** The message, on a single line, names the expectation and the rule. */
  message: string;
}

/**
 * Finds the expectations that the allow rules do not fulfil once the gate enforces. The check assumes that each plugin is
 * installed.
 *
 * @param configKey - for messages, such as `auth.apiGate`
 * @param allowKey - the config path of the rules
 */
export function findFailedExpectations(
  config: Pick<ApiGateConfig, 'allow' | 'expect' | 'signOut'>,
  configKey: string,
  allowKey = `${configKey}.allow`,
): FailedExpectation[] {
  const { allow, expect: expectations } = config;
  const policy = { allowList: new AllowList(allow), config };
  const nameOf = (rule: AllowRule) =>
    `${allowKey}[${allow.indexOf(rule)}] (${rule.path})`;

  const failureOf = (expectation: Expectation): string | undefined => {
    const { request, is, method, plugin, path } = expectation;
    const route = classifyRoute(
      { plugin, method, path, isInstalled: true },
      policy,
    );
    if (route === 'protected') {
      if (is === 'closed') {
        return undefined;
      }
      const nearest = findNearestRule(allow, plugin, path);
      return `${request} should be public, and no rule of ${allowKey} names it${
        nearest ? `; the nearest is ${nameOf(nearest)}` : ''
      }`;
    }
    if (is === 'public') {
      return undefined;
    }
    return typeof route === 'object'
      ? `${request} should be closed, and is public by ${nameOf(route)}`
      : `${request} should be closed, and is always public (${route}): remove the expectation`;
  };

  return expectations.flatMap((expectation, index) => {
    const failure = failureOf(expectation);
    return failure
      ? [{ index, message: `${configKey}.expect[${index}]: ${failure}` }]
      : [];
  });
}

/** @throws InputError of one line if an expectation of `auth.apiGate.expect` does not hold */
export function assertExpectations(
  config: ApiGateConfig,
  configKey: string,
): void {
  const [first, ...others] = findFailedExpectations(config, configKey);
  if (first) {
    throw new InputError(
      first.message + (others.length ? `; and ${others.length} more` : ''),
    );
  }
}
