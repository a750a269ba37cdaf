import { json, Router } from 'express';
import PromiseRouter from 'express-promise-router';
import type { AllowRule } from '../config/AllowRule';
import { CONFIG_KEY } from '../config/readApiGateConfig';
import { EXPLAIN_PATH } from '../http/backstagePaths';
import { WEBSOCKET } from '../http/requestMethod';
import type { DeclaredPolicies } from '../plugins/DeclaredPolicies';
import type { Plugins } from '../plugins/Plugins';
import { explainRequest, Explanation } from '../policy/explainRequest';
import type { PolicySource } from '../policy/PolicySource';
import { yamlOf } from '../policy/ruleFor';
import type { RouteAccess } from './RouteAccess';
import { authApiGateReadPermission } from './permissions';
import { readExplainBody } from './readExplainBody';

/** The answer to one question. */
export interface RequestExplanation extends Pick<
  Explanation,
  'anonymous' | 'because'
> {
  /** The config path of the rule that opens the request. */
  rule?: string;
  /** The config path of the rule that comes closest to a request which no rule opens. */
  nearest?: string;
  /** Whether the plugin opens the path in code, to everybody; missing where the plugin's policies are not recorded. */
  pluginOpened?: boolean;
  /** The rule that would make the request public; missing if no rule can. */
  yaml?: string;
}

interface ExplainServices {
  plugins: Pick<Plugins, 'isInstalled'>;
  policies: Pick<DeclaredPolicies, 'isKnown' | 'isPublic'>;
  source: Pick<PolicySource, 'current'>;
}

/**
 * Creates the router for `POST { method, target }`, which explains whether a request without a credential passes once the gate
 * enforces. Services may ask, and operators with the permission `auth.api-gate.read`.
 *
 * The route accepts no token to judge: it would otherwise be a way to find out whether a stolen one is valid.
 */
export function createExplainRouter(
  options: ExplainServices & { access: RouteAccess },
): Router {
  const { access } = options;
  const router = PromiseRouter();
  router.post(
    EXPLAIN_PATH,
    async req => {
      await access.requireOperator(req, authApiGateReadPermission);
      return 'next';
    },
    json(),
    (req, res) => {
      res.json(explain(readExplainBody(req.body), options));
    },
  );
  return router;
}

function explain(
  request: { method: string; target: string },
  { plugins, policies, source }: ExplainServices,
): RequestExplanation {
  const policy = source.current;
  const explanation = explainRequest(request, policy, id =>
    plugins.isInstalled(id),
  );
  const { anonymous, because, plugin, path, rule, nearest, opening } =
    explanation;
  const at = (found: AllowRule | undefined) =>
    found && `${CONFIG_KEY}.allow[${policy.config.allow.indexOf(found)}]`;
  const answer = { anonymous, because, rule: at(rule) };
  if (plugin === undefined || path === undefined) {
    return answer;
  }
  return {
    ...answer,
    nearest: at(nearest),
    pluginOpened: policies.isKnown(plugin)
      ? policies.isPublic(plugin, path, request.method === WEBSOCKET)
      : undefined,
    yaml: opening && yamlOf(opening),
  };
}
