import { endOf } from '../config/AllowRule';
import { METHODS } from 'node:http';
import { CONFIG_KEY } from '../config/readApiGateConfig';
import { WEBSOCKET } from '../http/requestMethod';
import { AllowList } from '../policy/AllowList';
import { Explanation, explainRequest } from '../policy/explainRequest';
import { findNearestRule } from '../policy/findNearestRule';
import { ruleFor } from '../policy/ruleFor';
import { CliError } from './CliError';
import { DeclaredInCode, fetchPolicy } from './fetchPolicy';
import { LoadedConfig, loadConfig, locateMessage } from './loadConfig';
import { CONFIG_OPTIONS, readOptions } from './options';
import { formatLocation, Output, printable } from './output';

export const EXPLAIN_HELP = `api-gate explain [--config FILE]... 'METHOD /api/PLUGIN/PATH'

Says whether a request without a credential passes the gate, why, and which rule would open it. The
path is the one that the client sends, with its escapes; WEBSOCKET stands for an upgrade.

  --config FILE      as for the backend, in its order; default: app-config.yaml and the files beside it
  --mock-env         uses a made-up value for each variable that is not set
  --policy URL       adds whether the plugin opens the path in code, from GET …/api/auth/api-gate/v1/policy
  --token-env NAME   the variable with the token for --policy

Exit code: 0, or 2 where the configuration can not be read.`;

const BECAUSE: Record<Explanation['because'], string> = {
  'allow-rule': 'a rule names it',
  'built-in-public':
    'it is public without a rule: signing in and verifying tokens need it',
  'sign-out': 'it is a sign-out call, for a plugin that is installed',
  'no-rule': 'no rule names it',
  'not-plain':
    'routers and proxies may read its path differently, so that no rule ever applies to it',
  'not-below-a-plugin': 'the gate guards /api/<plugin> only',
};

interface Request {
  method: string;
  target: string;
}

const ANONYMOUS = {
  public: 'public',
  'needs-credential': 'needs a credential',
  'not-gated': 'not seen by the gate',
};

/** Runs `api-gate explain`. Returns the exit code. */
export async function explain(args: string[], output: Output): Promise<number> {
  const { values, positionals } = readOptions('explain', args, {
    ...CONFIG_OPTIONS,
    policy: { type: 'string' },
    'token-env': { type: 'string' },
  });
  if (values.help) {
    output.out(EXPLAIN_HELP);
    return 0;
  }
  const request = readRequest(positionals.join(' '));
  const loaded = await loadConfig({
    files: values.config ?? [],
    mockEnv: values['mock-env'] ?? false,
  });
  const declared =
    values.policy === undefined
      ? undefined
      : await fetchPolicy(values.policy, values['token-env']);
  const { gate } = loaded;
  const explanation = explainRequest(
    request,
    { allowList: new AllowList(gate.allow), config: gate },
    () => true,
  );
  const { anonymous, because } = explanation;
  output.out(printable(`${request.method} ${request.target}`));
  output.out(`${ANONYMOUS[anonymous]}: ${BECAUSE[because]}`);
  [
    ...describeAddress(request),
    ...describeRule(explanation, loaded),
    ...describeInCode(explanation, declared),
    ...describeOpening(request.method, explanation),
    ...(gate.mode === 'report-only'
      ? [`Until the gate enforces, it refuses nothing (${CONFIG_KEY}.mode)`]
      : []),
  ].forEach(line => output.out(printable(line)));
  return 0;
}

function readRequest(text: string): Request {
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

/** Returns the question that is meant if somebody has copied an address from a browser. */
function describeAddress({ method, target }: Request): string[] {
  const [, path] = target.match(/^https?:\/\/[^/]+(\/.*)$/i) ?? [];
  return path
    ? [
        `If a browser shows this address, it sends the path only: ask about '${method} ${path}'`,
      ]
    : [];
}

function describeRule(
  { rule, plugin, path, anonymous }: Explanation,
  { gate, sources }: LoadedConfig,
): string[] {
  const shown =
    rule ??
    (anonymous === 'needs-credential' && plugin && path !== undefined
      ? findNearestRule(gate.allow, plugin, path)
      : undefined);
  if (!shown) {
    return [];
  }
  const name = `${CONFIG_KEY}.allow[${gate.allow.indexOf(shown)}]`;
  const place = locateMessage(name, sources);
  const { methods, until } = shown;
  const end =
    until === undefined
      ? ''
      : `  (${Date.now() < endOf(shown) ? 'until' : 'ended'} ${new Date(until).toISOString()})`;
  return [
    `${rule ? 'Rule' : 'Nearest rule'}: ${name}  ${methods} /api/${shown.plugin}${shown.path}${end}${
      place ? `  (${formatLocation(place)})` : ''
    }`,
  ];
}

function describeInCode(
  { plugin, path }: Explanation,
  declared: DeclaredInCode | undefined,
): string[] {
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
  return opened
    ? [`The plugin opens ${opened.path} in code, and the gate closes it`]
    : [];
}

/** Returns the rule that would open a request, as YAML. */
function describeOpening(
  method: string,
  { because, plugin, path }: Explanation,
): string[] {
  if (because !== 'no-rule' || !plugin || path === undefined) {
    return [];
  }
  const rule = ruleFor(method, plugin, path);
  if (!rule) {
    return ['No rule can open it'];
  }
  return [
    'This would make it public; a handler that asks for a user still refuses:',
    `  - { plugin: ${rule.plugin}, path: '${rule.path}', methods: [${rule.methods}] }${
      rule.path === path
        ? ''
        : '  # wider than this request: a rule has no such characters'
    }`,
  ];
}
