import type { Config } from '@backstage/config';
import { InputError } from '@backstage/errors';
import { AllowRule, endOf } from '../../gate/rules/AllowRule';
import {
  ApiGateConfig,
  CONFIG_KEY,
  readApiGateConfig,
  ReadOptions,
} from '../read/readApiGateConfig';
import { Expectation, formatExpected } from '../read/readExpectations';
import { AllowList } from '../../gate/rules/AllowList';
import {
  classifyRoute,
  RouteClass,
  RoutePolicy,
} from '../../gate/rules/classifyRoute';
import { findNearestRule, judgeAnonymous } from './explainRequest';

/**
 * Finds the expectations that the rules do not fulfil once the gate enforces, each with a message on a single line that names the
 * expectation and the rule. The check assumes that each plugin is installed.
 */
export function findFailedExpectations(
  config: Pick<ApiGateConfig, 'allow' | 'expect' | 'signOut'>,
) {
  const { allow } = config;
  const policy = { allowList: new AllowList(allow), config };
  const nameOf = (rule: AllowRule) =>
    `${CONFIG_KEY}.allow[${allow.indexOf(rule)}] (${rule.path})`;

  return config.expect.flatMap((expectation, index) => {
    const { request, is, plugin, path } = expectation;
    const found = classify(expectation, policy, Date.now());
    const fail = (text: string, heldUntilRuleEnded = false) => {
      const message = `${CONFIG_KEY}.expect[${index}]: ${formatExpected(expectation)} should be ${is}, and ${text}`;
      return [{ index, message, heldUntilRuleEnded }];
    };
    if (Boolean(judgeAnonymous(found).refusal) === (is === 'closed')) {
      return [];
    }
    const verb = request === undefined ? 'a part of it is' : 'is';
    if (typeof found === 'object') {
      return fail(`${verb} public by ${nameOf(found)}`);
    }
    if (found !== 'protected') {
      return fail(`${verb} always public (${found}): remove the expectation`);
    }
    // No rule has ended before all time.
    const ended = classify(expectation, policy, -Infinity);
    if (typeof ended === 'object') {
      return fail(
        `its rule ${nameOf(ended)} has ended: write a later until, or remove the expectation`,
        true,
      );
    }
    const nearest = findNearestRule(allow, plugin, path);
    const remedy = nearest
      ? `; the nearest is ${nameOf(nearest)}`
      : ': add one, or correct the plugin of one';
    return fail(`no rule of ${CONFIG_KEY}.allow names it${remedy}`);
  });
}

/**
 * Returns what opens the requests of an expectation. A whole plugin is open by any rule that has not ended. The paths that are
 * public in every plugin, such as that of its keys, do not open it.
 */
function classify(
  expectation: Expectation,
  policy: RoutePolicy,
  now: number,
): RouteClass {
  const { request, plugin } = expectation;
  const opening =
    request === undefined &&
    policy.allowList.rules.find(
      rule => rule.plugin === plugin && now < endOf(rule),
    );
  const route = { ...expectation, pluginId: plugin, isInstalled: true };
  return opening || classifyRoute(route, policy, now);
}

/**
 * Reads `auth.apiGate`, and checks that its expectations hold. An expectation that held until a rule ended is no error: a restart,
 * which may be part of an incident, never fails because of a date.
 */
export function readPolicyConfig(
  rootConfig: Config,
  options: ReadOptions = {},
): ApiGateConfig {
  const config = readApiGateConfig(rootConfig, options);
  const [first, ...others] = findFailedExpectations(config).filter(
    ({ heldUntilRuleEnded }) => !heldUntilRuleEnded,
  );
  if (first) {
    throw new InputError(
      first.message + (others.length ? `; and ${others.length} more` : ''),
    );
  }
  return config;
}
