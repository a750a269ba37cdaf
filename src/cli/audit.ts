import { BUILT_IN_PUBLIC } from '../operators/reports/describePolicy';
import { formatOpening } from '../operators/reports/formatPolicyReport';
import { CliError, Command } from './Command';
import { announce, createAsk, Answer, nameOf, prefixOf, readUrl } from './get';
import { judge } from './Outcome';
import type { Lines } from './output';
import audited from './scan/audited.json';

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
  help: `api-gate audit URL

Asks a running Backstage of your own, by GET and without a credential, for a fixed list of paths of
well-known plugins, and prints which are open. It sends at most two requests a second, follows no
redirect, and changes nothing. URL is backend.baseUrl, such as https://backstage.example.com.

  --list   prints all requests, and sends none; URL may be left out

Exit code: 0 nothing is open, 1 something is, 2 the address can not be asked or is no Backstage.`,
  hasArguments: true,
  async run({ list }, output, addresses) {
    if (addresses.length > 1 || (addresses.length === 0 && !list)) {
      throw new CliError(
        'Give the address of one Backstage, such as https://backstage.example.com',
      );
    }
    if (list) {
      const [address = 'http://localhost'] = addresses;
      const prefix = prefixOf(readUrl(address));
      for (const { plugin, path } of requestsFor(AUDITED_PATHS)) {
        output.out(`GET ${prefix}${plugin}${path}`);
      }
      return 0;
    }
    return auditPaths(addresses[0], output.out, AUDITED_PATHS);
  },
};

/** Returns all requests of an audit: one that shows whether the gate is there, one to each plugin, and then the paths. */
function requestsFor(paths: readonly AuditedPath[]) {
  const plugins = [ABSENT, ...paths.map(({ plugin }) => plugin)];
  return [
    ...[...new Set(plugins)].map(plugin => ({ plugin, path: `/${ABSENT}` })),
    ...paths,
  ];
}

export async function auditPaths(
  address: string,
  print: Lines['out'],
  paths: readonly AuditedPath[],
): Promise<number> {
  const base = readUrl(address);
  const requests = requestsFor(paths).length;
  print(`${announce(base, requests)}. Only ask a Backstage that you run`);
  const ask = createAsk(base, requests);
  const isGated = judge(await ask(ABSENT, `/${ABSENT}`)).code === 0;
  const guarded = new Set<string>();
  for (const plugin of new Set(paths.map(each => each.plugin))) {
    const { status } = await ask(plugin, `/${ABSENT}`);
    if (status === 401) {
      guarded.add(plugin);
    }
  }
  const prefix = prefixOf(base);
  const counts = { open: 0, closed: 0, 'not-installed': 0, unclear: 0 };
  for (const each of paths) {
    const { plugin, path } = each;
    const answer = await ask(plugin, path);
    const verdict = findVerdict(answer, guarded.has(plugin));
    counts[verdict] += 1;
    if (verdict === 'open' || verdict === 'unclear') {
      print(
        `${verdict.padEnd(8)} GET ${prefix}${plugin}${path}  answers ${answer.status}`,
      );
    }
    if (verdict === 'open') {
      print(...describeOpen(each, isGated).map(line => `         ${line}`));
    }
  }
  print(
    `${counts.open} open, ${counts.closed} closed, ${counts['not-installed']} of plugins that are not installed, ${counts.unclear} unclear`,
  );
  if (isGated) {
    print('The API gate is in front of this Backstage. Public without a rule:');
    print(...BUILT_IN_PUBLIC.map(rule => `  ${formatOpening(rule)}`));
  }
  if (counts.open + counts.closed === 0) {
    throw new CliError(
      `${nameOf(base)} does not answer as a Backstage backend: give the value of backend.baseUrl`,
    );
  }
  print(
    'Other paths, and proxy endpoints with credentials: dangerously-allow-unauthenticated, are not on the list: the gate reports them at its start',
  );
  return counts.open > 0 ? 1 : 0;
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
