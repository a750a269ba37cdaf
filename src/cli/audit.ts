import {
  ANY_SEGMENT,
  endOf,
  isSubtree,
  segmentsOf,
} from '../gate/rules/AllowRule';
import { ConfiguredPolicy } from '../settings/ConfiguredPolicy';
import { explainRequest } from '../settings/rules/explainRequest';
import { CliError, Command } from './Command';
import { announce, createAsk, Answer, nameOf, prefixOf, readUrl } from './get';
import { isFromGate } from './isFromGate';
import { loadConfig } from './loadConfig';
import type { Lines } from './output';
import audited from './audited.json';

/** No plugin has this path, and no plugin has this name. */
const ABSENT = 'api-gate-audit';

export interface AuditedPath {
  plugin: string;
  /** The path of a GET request, below the plugin. */
  path: string;
  /** A clause about what an open path means. */
  why: string;
  /** The rule that keeps the path open behind the gate; absent if no rule should. */
  rule?: string;
  /** The change that closes the path, if the gate does not. */
  remedy?: string;
}

export const AUDITED_PATHS: readonly AuditedPath[] = [
  // Made from scans of published packages: `integration/packages/scan/run --write`.
  ...audited,
  // The gate does not close `auth`, which sign-in uses.
  {
    plugin: 'auth',
    path: '/guest/refresh',
    why: 'gives a valid token to everybody, which opens every other path too',
    remedy: 'remove auth.providers.guest: the gate does not close it',
  },
];

type Verdict = 'open' | 'closed' | 'not-installed' | 'unclear';

export const audit: Command = {
  help: `api-gate audit URL... [--config FILE]...

Asks a running Backstage of your own, by GET and without a credential, whether the gate is there, and for a fixed list
of paths of well-known plugins, and prints which are open. It sends at most two requests a second, follows no redirect,
and changes nothing. URL is backend.baseUrl, such as https://backstage.example.com, or the address of one replica.

  --config FILE   as for the backend, in its order: also asks for what the rules open, and prints what is open and
                  should not be, and what is closed and should be open
  --list          prints all requests, and sends none; URL may be left out

Exit code: 0 nothing is open that should not be, and the reverse; 1 something is, or the gate of the configuration is
not there; 2 an address can not be asked or is no Backstage.`,
  hasArguments: true,
  async run(options, output, addresses) {
    const loaded = options.config && (await loadConfig(options, output));
    const policy = loaded && new ConfiguredPolicy(loaded.gate);
    const paths = [...AUDITED_PATHS, ...(policy ? pathsOf(policy) : [])];
    if (addresses.length === 0 && !options.list) {
      throw new CliError(
        'Give the address of a Backstage, such as https://backstage.example.com',
      );
    }
    if (options.list) {
      const [address = 'http://localhost'] = addresses;
      const prefix = prefixOf(readUrl(address));
      for (const { plugin, path } of requestsFor(paths)) {
        output.out(`GET ${prefix}${plugin}${path}`);
      }
      return 0;
    }
    let exitCode = 0;
    for (const address of addresses) {
      const code = await auditPaths(address, output.out, paths, policy);
      exitCode = Math.max(exitCode, code);
    }
    return exitCode;
  },
};

/** Returns the requests that show whether a rule opens what it says. A segment `*`, and one below `/**`, has a made-up text. */
export function pathsOf({ config, now }: ConfiguredPolicy): AuditedPath[] {
  return config.allow
    .filter(rule => rule.methods.includes('GET') && now() < endOf(rule))
    .map(rule => {
      const segments = segmentsOf(rule);
      const asked = isSubtree(rule) ? [...segments, ABSENT] : segments;
      const path = asked.map(each => (each === ANY_SEGMENT ? ABSENT : each));
      return {
        plugin: rule.plugin,
        path: `/${path.join('/')}`,
        why: 'a rule opens it',
      };
    });
}

/** Returns all requests of an audit: one that shows whether the gate is there, one to each plugin, and then the paths. */
function requestsFor(paths: readonly AuditedPath[]) {
  const plugins = [ABSENT, ...paths.map(({ plugin }) => plugin)];
  return [
    ...[...new Set(plugins)].map(plugin => ({ plugin, path: `/${ABSENT}` })),
    ...paths,
  ];
}

/**
 * Asks one address for paths.
 *
 * @param policy - the policy that the Backstage there should have; without one, every path should be closed
 * @returns the exit code: 1 if a path is open that should not be, or closed that should be open
 * @throws CliError if nothing there answers as a Backstage
 */
export async function auditPaths(
  address: string,
  print: Lines['out'],
  paths: readonly AuditedPath[],
  policy?: ConfiguredPolicy,
): Promise<number> {
  const base = readUrl(address);
  const requests = requestsFor(paths).length;
  print(`${announce(base, requests)}. Only ask a Backstage that you run`);
  const ask = createAsk(base, requests);
  const isGated = isFromGate(await ask(ABSENT, `/${ABSENT}`));
  print(
    isGated
      ? 'The API gate is in front of this Backstage'
      : 'The API gate is not in front of this Backstage, or in report-only',
  );
  const guarded = new Set<string>();
  for (const plugin of new Set(paths.map(each => each.plugin))) {
    const { status } = await ask(plugin, `/${ABSENT}`);
    if (status === 401) {
      guarded.add(plugin);
    }
  }
  const counts = { open: 0, closed: 0, 'not-installed': 0, unclear: 0 };
  // In report-only, nothing shows the gate from outside.
  let unmeant = policy?.isEnforced && !isGated ? 1 : 0;
  for (const each of paths) {
    const { plugin, path } = each;
    const answer = await ask(plugin, path);
    const request = `GET ${prefixOf(base)}${plugin}${path}`;
    const verdict = findVerdict(answer, guarded.has(plugin));
    counts[verdict] += 1;
    const isMeantOpen = policy !== undefined && isPublic(each, policy);
    if (verdict === 'unclear') {
      print(`unclear  ${request}  answers ${answer.status}`);
    } else if (verdict === 'open' && !isMeantOpen) {
      unmeant += 1;
      print(`open     ${request}  answers ${answer.status}`);
      print(...describeOpen(each, isGated).map(line => `         ${line}`));
    } else if (isMeantOpen && isFromGate(answer)) {
      unmeant += 1;
      print(
        `closed   ${request}  answers ${answer.status}`,
        '         a rule of the configuration opens it: the backend there has another configuration',
      );
    }
  }
  print(
    `${counts.open} open, ${counts.closed} closed, ${counts['not-installed']} of plugins that are not installed, ${counts.unclear} unclear`,
  );
  if (counts.open + counts.closed === 0) {
    throw new CliError(
      `${nameOf(base)} does not answer as a Backstage backend: give the value of backend.baseUrl`,
    );
  }
  print(
    'Other paths, and proxy endpoints with credentials: dangerously-allow-unauthenticated, are not asked for: api-gate report lists them',
  );
  return unmeant > 0 ? 1 : 0;
}

function isPublic({ plugin, path }: AuditedPath, policy: ConfiguredPolicy) {
  const request = { method: 'GET', target: `/api/${plugin}${path}` };
  return explainRequest(request, policy, () => true).anonymous === 'public';
}

/**
 * @param isGuarded - whether the plugin answers 401 for an unknown route, so that every other answer came from behind its
 *   credentials barrier
 */
export function findVerdict(
  { status, headers, body }: Answer,
  isGuarded: boolean,
): Verdict {
  // A proxy in front redirects browsers to its own sign-in page.
  const isRedirect = status >= 300 && status < 400;
  if (isRedirect || status === 401 || status === 403) {
    return 'closed';
  }
  const isPage = /^text\/html/i.test(headers.get('content-type') ?? '');
  if (status >= 500 || status === 429 || (isPage && status < 300)) {
    return 'unclear';
  }
  if (isGuarded) {
    return 'open';
  }
  if (status === 404) {
    return 'not-installed';
  }
  return status < 300 || /"name":"InputError"/.test(body) ? 'open' : 'unclear';
}

function describeOpen(path: AuditedPath, isGated: boolean): string[] {
  const { plugin, why, rule, remedy } = path;
  const advice = isGated
    ? 'a rule of auth.apiGate.allow opens it: remove the rule to close it'
    : `the gate closes it${rule ? '; this rule keeps it open:' : ''}`;
  return [
    `plugin ${plugin}: ${why}`,
    remedy ?? advice,
    ...(rule && !isGated ? [`  ${rule}`] : []),
  ];
}
