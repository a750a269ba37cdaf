import { METHODS } from 'node:http';
import { formatRule, yamlOf } from '../config/AllowRule';
import { CONFIG_KEY } from '../config/readApiGateConfig';
import { formatExpected } from '../config/readExpectations';
import { holdsText, markUnmet } from '../config/requirements';
import { WEBSOCKET } from '../http/requestLine';
import { formatRequirement } from '../observability/formatPolicyReport';
import { AllowList } from '../policy/AllowList';
import { findFailedExpectations } from '../policy/checkExpectations';
import { Explanation, explainRequest } from '../policy/explainRequest';
import { isEnforced } from '../policy/Policy';
import { CliError, Command } from './Command';
import { explainToken } from './explainToken';
import { DeclaredInCode, fetchPolicy } from './fetchPolicy';
import { LoadedConfig, loadConfig } from './loadConfig';
import { formatLocation } from './output';

/** The answers, by the reason. */
const ANSWERS: Record<Explanation['because'], string> = {
  'allow-rule': 'public: a rule names it',
  'built-in-public':
    'public: it is public without a rule: signing in and verifying tokens need it',
  'sign-out': 'public: it is a sign-out call, for a plugin that is installed',
  'no-rule': 'needs a credential: no rule names it',
  'requirement-not-met':
    'needs a credential: a rule names it, and opens nothing without the setting that it requires',
  'not-plain':
    'needs a credential: routers and proxies may read its path differently, so that no rule ever applies to it',
  'not-below-a-plugin':
    'not seen by the gate: the gate guards /api/<plugin> only',
};

export const explain: Command = {
  help: `api-gate explain [--config FILE]... 'METHOD /api/PLUGIN/PATH'

Prints whether a request without a credential passes the gate, why, and which rule would open it. The
path is the one that the client sends, with its escapes; WEBSOCKET stands for an upgrade.

  --config FILE      as for the backend, in its order; default: app-config.yaml and app-config.local.yaml
  --subject NAME     adds whether a valid external token of that subject passes: no token is needed
  --mock-env         uses a made-up value for each variable that is not set
  --policy URL       adds whether the plugin opens the path in code, from GET …/api/auth/api-gate/v1/policy
  --token-env NAME   the variable with the token for --policy

Exit code: 0, or 2 where the configuration can not be read, or where a file has auth.apiGate that is not
read without --config.`,
  options: ['config', 'mock-env', 'policy', 'subject', 'token-env'],
  hasArguments: true,
  async run(options, output, args) {
    const request = readRequest(args.join(' '));
    const files = await loadConfig(options, output);
    const declared = await fetchPolicy(options);
    const gate = withRequirements(files, declared);
    const loaded = { ...files, gate };
    const explanation = explainRequest(
      request,
      { allowList: new AllowList(gate.allow), config: gate },
      () => true,
    );
    const { method, target } = request;
    // If somebody has copied an address from a browser, the question that is meant is about its path.
    const [, path] = target.match(/^https?:\/\/[^/]+(\/.*)$/i) ?? [];
    output.out(
      `${method} ${target}`,
      ANSWERS[explanation.because],
      path &&
        `If a browser shows this address, it sends the path only: ask about '${method} ${path}'`,
      describeRule(explanation, loaded),
      describeInCode(explanation, declared),
      ...describeOpening(explanation, gate),
      ...describeToken(options.subject, method, explanation, loaded),
      !isEnforced(gate) &&
        `Until the gate enforces, it refuses nothing (${CONFIG_KEY}.mode)`,
    );
    return 0;
  },
};

/** Marks the rules whose requirement is not met: these files lack the setting, or the running backend lacked it at its start. */
function withRequirements(
  { gate, root }: LoadedConfig,
  declared: DeclaredInCode | undefined,
): LoadedConfig['gate'] {
  const unmet = declared?.allow.flatMap(rule =>
    rule.unmet ? rule.requires : [],
  );
  const allow = markUnmet(
    gate.allow,
    key => holdsText(key, root) && !unmet?.includes(key),
  );
  return { ...gate, allow };
}

function readRequest(text: string): { method: string; target: string } {
  const [, method = 'GET', target] = text.match(/^(?:(\S+) )?(\S+)$/) ?? [];
  const methods = [...METHODS, WEBSOCKET];
  if (
    target === undefined ||
    methods.includes(target) ||
    !methods.includes(method)
  ) {
    throw new CliError(
      "Write one request in quotes, such as 'GET /api/catalog/entities'",
    );
  }
  return { method, target };
}

function describeRule(
  { rule, nearest }: Explanation,
  { gate, locate }: LoadedConfig,
): string | undefined {
  const shown = rule ?? nearest;
  if (!shown) {
    return undefined;
  }
  const name = `${CONFIG_KEY}.allow[${gate.allow.indexOf(shown)}]`;
  const place = locate(name);
  const { until } = shown;
  const end =
    until === undefined
      ? ''
      : `  (${Date.now() < until ? 'until' : 'ended'} ${new Date(until).toISOString()})`;
  return `${rule ? 'Rule' : 'Nearest rule'}: ${name}  ${formatRule(shown)}${end}${
    place ? `  (${formatLocation(place)})` : ''
  }${formatRequirement(shown)}`;
}

function describeInCode(
  { plugin, path }: Explanation,
  declared: DeclaredInCode | undefined,
): string | undefined {
  const opened = declared?.closed.find(
    closed =>
      closed.plugin === plugin &&
      path !== undefined &&
      `${path}/`.toLowerCase().startsWith(
        // A declared path is a prefix, up to its first parameter.
        closed.path
          .replace(/[:*{].*$/, '')
          .replace(/\/?$/, '/')
          .toLowerCase(),
      ),
  );
  return (
    opened && `The plugin opens ${opened.path} in code, and the gate closes it`
  );
}

function describeToken(
  subject: string | undefined,
  method: string,
  { plugin: pluginId, path }: Explanation,
  loaded: LoadedConfig,
): string[] {
  return subject === undefined || pluginId === undefined
    ? []
    : explainToken(subject, { pluginId, method, path }, loaded);
}

/** Returns the rule that would open a request, as YAML. */
function describeOpening(
  { because, opening, path }: Explanation,
  gate: LoadedConfig['gate'],
): string[] {
  if (because !== 'no-rule') {
    return [];
  }
  if (!opening) {
    return ['No rule can open it'];
  }
  const note =
    opening.path === path
      ? ''
      : '  # wider than this request: a rule has no such characters';
  const broken = findFailedExpectations({ ...gate, allow: [opening] })
    .map(({ index }) => ({ index, ...gate.expect[index] }))
    .find(({ is }) => is === 'closed');
  return [
    'This would make it public; a handler that asks for a user still refuses:',
    `  ${yamlOf(opening)}${note}`,
    ...(broken
      ? [
          `With this rule, the backend does not start while ${CONFIG_KEY}.expect[${broken.index}] is there: ${formatExpected(broken)} is closed`,
        ]
      : []),
  ];
}
