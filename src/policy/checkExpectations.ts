import { InputError } from '@backstage/errors';
import type { ApiGateConfig } from '../config/readApiGateConfig';
import type { Expectation } from '../config/readExpectations';
import { AllowList } from './AllowList';
import { AllowRule } from '../config/AllowRule';
import { classifyRoute, RouteClass, RoutePolicy } from './classifyRoute';
import { findNearestRule } from './findNearestRule';

/** An entry of `auth.apiGate.expect` that the rules do not fulfil. */
export interface FailedExpectation {
  /** The index in `auth.apiGate.expect`. */
  index: number;
  /** The message, on a single line, names the expectation and the rule. */
  message: string;
  /** Whether it held until a rule ended. */
  isByEnd: boolean;
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

  // No rule has ended by this clock.
  const unending = { allowList: new AllowList(allow, () => -Infinity), config };

  const failureOf = (expectation: Expectation): string | undefined => {
    const { is, request } = expectation;
    const route = routeOf(expectation, policy);
    if (route === 'protected') {
      if (is === 'closed') {
        return undefined;
      }
      const ended = routeOf(expectation, unending);
      if (typeof ended === 'object') {
        return `${request} should be public, and its rule ${nameOf(ended)} has ended: write a later until, or remove the expectation`;
      }
      const { plugin, path } = expectation;
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
    const message = `${configKey}.expect[${index}]: ${failure}`;
    const isByEnd =
      expectation.is === 'public' &&
      typeof routeOf(expectation, unending) === 'object';
    return failure ? [{ index, message, isByEnd }] : [];
  });
}

function routeOf(
  { plugin, method, path }: Expectation,
  policy: RoutePolicy,
): RouteClass {
  return classifyRoute({ plugin, method, path, isInstalled: true }, policy);
}

/**
 * Checks that the expectations hold. An expectation that held until a rule ended is no error: a restart, which may be part of an
 * incident, never fails because of a date.
 *
 * @throws InputError of one line if another expectation does not hold
 */
export function assertExpectations(
  config: ApiGateConfig,
  configKey: string,
): void {
  const failed = findFailedExpectations(config, configKey);
  const [first, ...others] = failed.filter(({ isByEnd }) => !isByEnd);
  if (first) {
    throw new InputError(
      first.message + (others.length ? `; and ${others.length} more` : ''),
    );
  }
}
