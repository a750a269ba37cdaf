import { setTimeout as wait } from 'node:timers/promises';
import { AUDITED_PATHS, AuditedPath } from './auditedPaths';
import { CliError, Command } from './Command';
import { get, GetAnswer, readUrl } from './get';

const INTERVAL_MS = 500;

/** No plugin has this path, and no plugin has this name. */
const ABSENT = 'api-gate-audit';

/** The state of a path, by the answer to a request without a credential. */
type Verdict = 'open' | 'closed' | 'not-installed' | 'unclear';

export const audit: Command = {
  help: `api-gate audit URL

Asks a running Backstage of your own, by GET and without a credential, for a fixed list of paths of
well-known plugins, and prints which are open. It sends at most two requests a second, follows no
redirect, and changes nothing. URL is backend.baseUrl, such as https://backstage.example.com.

  --list   prints the paths, and sends nothing

Exit code: 0 nothing is open, 1 something is, 2 the address can not be asked or is no Backstage.`,
  options: ['list'],
  hasArguments: true,
  async run({ list }, output, addresses) {
    if (list) {
      AUDITED_PATHS.forEach(each => output.out(requestOf(each)));
      return 0;
    }
    if (addresses.length !== 1) {
      throw new CliError(
        'Give the address of one Backstage, such as https://backstage.example.com',
      );
    }
    return auditPaths(addresses[0], output.out, AUDITED_PATHS);
  },
};

/** Asks a Backstage for paths. Returns the exit code. */
export async function auditPaths(
  address: string,
  print: (line: string) => void,
  paths: readonly AuditedPath[],
): Promise<number> {
  const base = readUrl(address);
  const plugins = new Set(paths.map(({ plugin }) => plugin));
  const requests = 1 + plugins.size + paths.length;
  print(
    `Sends ${requests} GET requests without a credential to ${base.origin}, two a second, for about ${Math.ceil(
      (requests * INTERVAL_MS) / 1000,
    )} seconds. Only ask a Backstage that you run`,
  );
  const ask = createAsk(base);
  const isGated = looksGated(await ask(ABSENT, `/${ABSENT}`));
  const guarded = new Set<string>();
  for (const plugin of plugins) {
    const { status } = await ask(plugin, `/${ABSENT}`);
    if (status === 401) {
      guarded.add(plugin);
    }
  }
  const counts = { open: 0, closed: 0, 'not-installed': 0, unclear: 0 };
  for (const each of paths) {
    const answer = await ask(each.plugin, each.path);
    const verdict = findVerdict(answer, guarded.has(each.plugin));
    counts[verdict] += 1;
    if (verdict === 'open') {
      describeOpen(each, answer, isGated).forEach(line => print(line));
    } else if (verdict === 'unclear') {
      print(`unclear  ${requestOf(each)}  answers ${answer.status}`);
    }
  }
  print(
    `${counts.open} open, ${counts.closed} closed, ${counts['not-installed']} of plugins that are not installed, ${counts.unclear} unclear`,
  );
  if (isGated) {
    print('The API gate is in front of this Backstage');
  }
  if (counts.open + counts.closed === 0) {
    throw new CliError(
      `${base.origin}${base.pathname} does not answer as a Backstage backend: give the value of backend.baseUrl`,
    );
  }
  print(
    'Other paths, and proxy endpoints with credentials: dangerously-allow-unauthenticated, are not on the list: the gate reports them at its start',
  );
  return counts.open > 0 ? 1 : 0;
}

/** Returns a function that sends GET requests, at most two a second. */
function createAsk(base: URL) {
  let next = 0;
  return async (plugin: string, path: string): Promise<GetAnswer> => {
    await wait(Math.max(0, next - Date.now()));
    next = Date.now() + INTERVAL_MS;
    const below = base.pathname.replace(/\/$/, '');
    return get(new URL(`${below}/api/${plugin}${path}`, base), 1024);
  };
}

function requestOf({ plugin, path }: AuditedPath): string {
  return `GET /api/${plugin}${path}`;
}

/** Returns whether an answer has the gate's own challenge. The gate refuses plugins that are not installed too. */
function looksGated({ status, headers }: GetAnswer): boolean {
  const challenge = headers.get('www-authenticate') ?? '';
  return status === 401 && challenge.startsWith('Bearer realm="Backstage"');
}

/**
 * Derives the verdict from an answer to a request without a credential.
 *
 * @param isGuarded - whether the plugin answers 401 for an unknown route, so that every other answer came from behind its
 *   credentials barrier
 */
export function findVerdict(
  { status, headers, body }: GetAnswer,
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

function describeOpen(
  path: AuditedPath,
  { status }: GetAnswer,
  isGated: boolean,
): string[] {
  const { plugin, gives, rule, remedy } = path;
  const advice = isGated
    ? 'a rule of auth.apiGate.allow opens it: remove the rule to close it'
    : `the gate closes it${rule ? '; this rule keeps it open:' : ''}`;
  return [
    `open     ${requestOf(path)}  answers ${status}`,
    `         plugin ${plugin}: gives ${gives}`,
    `         ${remedy ?? advice}`,
    ...(rule && !isGated ? [`           ${rule}`] : []),
  ];
}
