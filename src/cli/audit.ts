import { setTimeout as wait } from 'node:timers/promises';
import { AUDITED_PATHS, AuditedPath } from './auditedPaths';
import { CliError } from './CliError';
import { get, GetAnswer, readUrl } from './get';
import { readOptions } from './options';
import { Output, printable } from './output';

export const AUDIT_HELP = `api-gate audit URL

Asks a running Backstage of your own, by GET and without a credential, for a fixed list of paths of
well-known plugins, and prints which are open. It sends at most two requests a second, follows no
redirect, and changes nothing. URL is backend.baseUrl, such as https://backstage.example.com.

  --list   prints the paths, and sends nothing

Exit code: 0 nothing is open, 1 something is, 2 the address can not be asked or is no Backstage.`;

const INTERVAL_MS = 500;

/** No plugin has this path, and no plugin has this name. */
const ABSENT = 'api-gate-audit';

/** The state of a path, by the answer to a request without a credential. */
export type Verdict = 'open' | 'closed' | 'not-installed' | 'unclear';

/** Runs `api-gate audit`. Returns the exit code. */
export async function audit(
  args: string[],
  output: Output,
  paths: readonly AuditedPath[] = AUDITED_PATHS,
): Promise<number> {
  const { values, positionals } = readOptions('audit', args, {
    help: { type: 'boolean', short: 'h' },
    list: { type: 'boolean' },
  });
  if (values.help) {
    output.out(AUDIT_HELP);
    return 0;
  }
  if (values.list) {
    paths.forEach(each => output.out(`GET ${apiPath(each)}`));
    return 0;
  }
  if (positionals.length !== 1) {
    throw new CliError(
      'Give the address of one Backstage, such as https://backstage.example.com',
    );
  }
  const base = readUrl(positionals[0]);
  const plugins = [...new Set(paths.map(({ plugin }) => plugin))];
  const requests = 1 + plugins.length + paths.length;
  output.out(
    `Sends ${requests} GET requests without a credential to ${base.origin}, two a second, for about ${Math.ceil(
      (requests * INTERVAL_MS) / 1000,
    )} seconds. Only ask a Backstage that you run`,
  );
  const ask = createAsk(base);
  const isGated = looksGated(await ask(`/api/${ABSENT}/${ABSENT}`));
  const guarded = new Map<string, boolean>();
  for (const plugin of plugins) {
    const { status } = await ask(`/api/${plugin}/${ABSENT}`);
    guarded.set(plugin, status === 401);
  }
  const counts = { open: 0, closed: 0, 'not-installed': 0, unclear: 0 };
  for (const each of paths) {
    const answer = await ask(apiPath(each));
    const verdict = judge(answer, guarded.get(each.plugin) ?? false);
    counts[verdict] += 1;
    describe(each, answer, verdict, isGated).forEach(line =>
      output.out(printable(line)),
    );
  }
  return summarize(counts, isGated, base, output);
}

/** Returns a function that sends GET requests, at most two a second. */
function createAsk(base: URL): (path: string) => Promise<GetAnswer> {
  let next = 0;
  return async path => {
    await wait(Math.max(0, next - Date.now()));
    next = Date.now() + INTERVAL_MS;
    return get(new URL(base.pathname.replace(/\/$/, '') + path, base), {
      maxBytes: 1024,
    });
  };
}

function apiPath({ plugin, path }: AuditedPath): string {
  return `/api/${plugin}${path}`;
}

/** Returns whether an answer has the gate's own challenge. The gate refuses plugins that are not installed too. */
function looksGated({ status, headers }: GetAnswer): boolean {
  return (
    status === 401 &&
    (headers.get('www-authenticate') ?? '').startsWith(
      'Bearer realm="Backstage"',
    )
  );
}

/**
 * Derives the verdict from an answer to a request without a credential.
 *
 * @param isGuarded - whether the plugin answers 401 for an unknown route, so that every other answer came from behind its
 *   credentials barrier
 */
export function judge(
  { status, headers, body }: Pick<GetAnswer, 'status' | 'headers' | 'body'>,
  isGuarded: boolean,
): Verdict {
  if (status === 401 || status === 403) {
    return 'closed';
  }
  if (status >= 500 || status === 429) {
    return 'unclear';
  }
  // A proxy in front redirects browsers to its own sign-in page.
  if (status >= 300 && status < 400) {
    return 'closed';
  }
  const isPage = /^text\/html/i.test(headers.get('content-type') ?? '');
  if (isPage && status < 400) {
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

function describe(
  each: AuditedPath,
  { status }: GetAnswer,
  verdict: Verdict,
  isGated: boolean,
): string[] {
  if (verdict === 'closed' || verdict === 'not-installed') {
    return [];
  }
  const request = `GET ${apiPath(each)}`;
  if (verdict === 'unclear') {
    return [`unclear  ${request}  answers ${status}`];
  }
  const advice =
    each.remedy ??
    (isGated
      ? 'a rule of auth.apiGate.allow opens it: remove the rule to close it'
      : `the gate closes it${each.rule ? '; this rule keeps it open:' : ''}`);
  return [
    `open     ${request}  answers ${status}`,
    `         plugin ${each.plugin}: gives ${each.gives}`,
    `         ${advice}`,
    ...(each.rule && !isGated ? [`           ${each.rule}`] : []),
  ];
}

function summarize(
  counts: Record<Verdict, number>,
  isGated: boolean,
  base: URL,
  output: Output,
): number {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  output.out(
    `${counts.open} open, ${counts.closed} closed, ${counts['not-installed']} of plugins that are not installed, ${counts.unclear} unclear`,
  );
  if (isGated) {
    output.out('The API gate is in front of this Backstage');
  }
  if (counts['not-installed'] + counts.unclear === total) {
    throw new CliError(
      `${base.origin}${base.pathname} does not answer as a Backstage backend: give the value of backend.baseUrl`,
    );
  }
  output.out(
    'Other paths, and proxy endpoints with credentials: dangerously-allow-unauthenticated, are not on the list: the gate reports them at its start',
  );
  return counts.open > 0 ? 1 : 0;
}
