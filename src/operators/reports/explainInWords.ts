import { METHODS } from 'node:http';
import { compact } from 'lodash';
import type { TokenEntry } from '../../gate/rules/GateSettings';
import { formatRule } from '../../settings/read/readAllowRules';
import { CONFIG_KEY } from '../../settings/read/readApiGateConfig';
import type { readExternalSubjects } from '../../settings/read/readExternalTokens';
import { didYouMean } from '../../settings/read/values';
import { WEBSOCKET } from '../../gate/read/requestLine';
import { DeclaredOpening, formatPaths } from '../../settings/declaredOpen';
import {
  Explanation,
  explainRequest,
} from '../../settings/rules/explainRequest';
import type { ConfiguredPolicy } from '../../settings/ConfiguredPolicy';
import { AllowList } from '../../gate/rules/AllowList';
import type { LimitedRequest } from '../../gate/rules/TokenLimits';
import { entriesFor } from '../../gate/rules/TokenLimits';
import { isPrintable, printable, shorten } from '../../settings/logLine';
import { describeOpening, proposeForToken } from './proposeRule';

/** The gate that a question is about: that of a running backend, or that of a backend with given files. */
interface ExplainedGate {
  policy: ConfiguredPolicy;
  externalSubjects: ReturnType<typeof readExternalSubjects>;
  /** The policies that plugins have declared open and the gate closes, as far as they are known. */
  closed: DeclaredOpening[];
  /** Ids of the installed plugins; `undefined` where they are not known. */
  installed?: readonly string[];
  /** Returns the file and line of a setting, by its config path: the command alone shows them. */
  placeOf?(configPath: string): string | undefined;
}

/** The answer to a question, or why there is none. */
export type Explained = { lines: string[] } | { error: string };

/** The answers, by the reason. */
const ANSWERS: Record<Explanation['because'], string> = {
  'allow-rule': 'public: a rule names it',
  'built-in-public':
    'public: it is public without a rule: signing in and verifying tokens need it',
  'sign-out': 'public: it is a sign-out call',
  'no-rule': 'needs a credential: no rule names it',
  'not-plain':
    'needs a credential: routers and proxies may read its path differently, so that no rule ever applies to it',
  'not-below-a-plugin':
    'not seen by the gate: the gate guards /api/<plugin> only',
};

/** The answers to a request with an external token that the gate refuses. */
const REFUSALS = {
  restricted: 'refused with 403 (restricted): not listed in any only',
  'token-ended': 'refused with 401 (token-ended)',
};

const NO_ENTRY = `refused with 403 (restricted): ${CONFIG_KEY}.tokens has no entry for it`;

export const MAX_SUBJECT_LENGTH = 1_000;

/** The longest request that is explained. The path of a rule has at most 1,000 characters. */
export const MAX_REQUEST_LENGTH = 2_000;

/**
 * Reads a request as somebody writes it: the method and the raw target, as on its first line. `WEBSOCKET` stands for an upgrade, and the
 * method may be left out for `GET`. The result is `undefined` if a text is not one request.
 */
export function readRequest(text: string) {
  if (text.length > MAX_REQUEST_LENGTH || !isPrintable(text)) {
    return undefined;
  }
  const [, method = 'GET', target] =
    text.trim().match(/^(?:(\S+) )?(\S+)$/) ?? [];
  const methods = [...METHODS, WEBSOCKET];
  return target === undefined ||
    methods.includes(target) ||
    !methods.includes(method)
    ? undefined
    : { method, target };
}

/** Explains whether a request passes the gate without a credential, why, and which rule would open it; and with a token of `subject`. */
export function explainInWords(
  request: { method: string; target: string },
  subject: string | undefined,
  gate: ExplainedGate,
) {
  const { closed, installed, policy } = gate;
  const isInstalled = (id: string) => installed?.includes(id) ?? true;
  const { method, target } = request;
  const answer = explainRequest(request, policy, isInstalled, policy.now());
  const { plugin: pluginId, path } = answer;
  const isMissing = pluginId !== undefined && !isInstalled(pluginId);
  const ofToken: ReturnType<typeof explainToken> =
    subject === undefined || pluginId === undefined
      ? { lines: [] }
      : explainToken(subject, { pluginId, method, path }, gate);
  if ('error' in ofToken) {
    return ofToken;
  }
  // If somebody has copied an address from a browser, the question that is meant is about its path.
  const [, shownPath] = target.match(/^https?:\/\/[^/]+(\/.*)$/i) ?? [];
  const lines = [
    `${method} ${target}`,
    answer.because === 'sign-out' && !isMissing
      ? `${ANSWERS['sign-out']}, for a plugin that is installed`
      : ANSWERS[answer.because],
    isMissing &&
      `The plugin ${pluginId} is not installed${didYouMean(pluginId, installed ?? [])}: a misspelling, or a plugin of another backend`,
    shownPath &&
      `If a browser shows this address, it sends the path only: ask about '${method} ${shownPath}'`,
    /^(?!https?:)\w/i.test(target) &&
      `A path begins with a slash: ask about '${method} /${target.replace(/^(?!api\/)/, 'api/')}'`,
    describeRule(answer, gate),
    describeDeclared(answer, method, closed),
    // Whoever asks about a token does not mean to make the path public.
    ...(subject === undefined ? describeOpening(answer, policy) : []),
    ...ofToken.lines,
    !policy.isEnforced &&
      `Until the gate enforces, it refuses only ended sessions (${CONFIG_KEY}.mode)`,
  ];
  return {
    lines: lines.filter(line => typeof line === 'string'),
    answer,
    refusal: ofToken.refusal,
  };
}

function describeRule(
  { rule, nearest }: Explanation,
  { placeOf, policy }: ExplainedGate,
): string | undefined {
  const shown = rule ?? nearest;
  if (!shown) {
    return undefined;
  }
  const name = `${CONFIG_KEY}.allow[${policy.config.allow.indexOf(shown)}]`;
  const end = formatEnd(shown, 'ended, and closed since', policy.now());
  return `${rule ? 'Rule' : 'Nearest rule'}: ${name}  ${formatRule(shown)}${inBrackets([end, placeOf?.(name)])}`;
}

function formatToken(token: TokenEntry, now: number): string {
  const { only, reason, subject } = token;
  const requests = Array.isArray(only)
    ? only.map(formatRule).join('; ') || 'nothing'
    : 'what accessRestrictions allow';
  return `${subject}: ${requests}${inBrackets([reason, formatEnd(token, 'ended at', now)])}`;
}

function formatEnd(
  { until }: { until?: number },
  past: string,
  now: number,
): string | undefined {
  return until === undefined
    ? undefined
    : `${until <= now ? past : 'until'} ${new Date(until).toISOString()}`;
}

function inBrackets(notes: (string | undefined)[]): string {
  return compact(notes)
    .map(note => `  (${note})`)
    .join('');
}

function describeDeclared(
  { plugin, path }: Explanation,
  method: string,
  closed: ExplainedGate['closed'],
): string | undefined {
  const opening = closed.find(
    each =>
      each.plugin === plugin &&
      each.isWebSocket === (method === WEBSOCKET) &&
      path !== undefined &&
      covers(each.paths, path),
  );
  return (
    opening &&
    `Declared open by the plugin: ${formatPaths(opening)}, ${opening.allow === 'user-cookie' ? "to Backstage's own cookie, which still opens it" : 'and closed by the gate'}`
  );
}

/** Returns whether rules with these paths open a path in any letter case, as policies do. */
function covers(paths: string[], path: string): boolean {
  const rules = paths.map(each => ({
    ...{ plugin: '', methods: ['GET'] },
    path: each.toLowerCase(),
  }));
  return (
    new AllowList(rules).match('', 'GET', path.toLowerCase(), 0) !== undefined
  );
}

/** Explains what comes of a request with a valid token. Backstage's `accessRestrictions` decide first, and then `auth.apiGate.tokens`. */
function explainToken(
  subject: string,
  request: LimitedRequest,
  { externalSubjects, placeOf, policy }: ExplainedGate,
): Explained & { refusal?: keyof typeof REFUSALS } {
  if (
    subject.length > MAX_SUBJECT_LENGTH ||
    !isPrintable(subject) ||
    !externalSubjects.isPossible(subject)
  ) {
    return {
      error: `No external token can have the subject ${shorten(printable(subject), MAX_SUBJECT_LENGTH)}${didYouMean(subject, externalSubjects.findLikely(subject))}: compare it with backend.auth.externalAccess`,
    };
  }
  const { pluginId } = request;
  const entries = externalSubjects.tokens.filter(
    token => token.subject === subject,
  );
  const excluding = entries.filter(
    ({ plugins = [] }) => plugins.length > 0 && !plugins.includes(pluginId),
  );
  const reason = policy.tokenLimits.findRefusal(subject, request, policy.now());
  const isExcluded =
    excluding.length > 0 && excluding.length === entries.length;
  const otherwise = isExcluded
    ? 'refused with 403 (restricted)'
    : 'passes the gate';
  const all = policy.config.tokens ?? [];
  const ofEntries = entriesFor(subject, all).map(entry => {
    const name = `${CONFIG_KEY}.tokens[${all.indexOf(entry)}]`;
    return `  ${name}  ${formatToken(entry, policy.now())}${inBrackets([placeOf?.(name)])}`;
  });
  const isListed = policy.tokenLimits.hasEntry(subject);
  const refused = reason && (isListed ? REFUSALS[reason] : NO_ENTRY);
  const lines = [
    `With a token of ${subject}: ${refused ?? otherwise}`,
    ...excluding.map(
      ({ at }) =>
        `  refused with 403 (restricted): the accessRestrictions of ${at} leave ${pluginId} out`,
    ),
    ...ofEntries,
    ...(reason ? [proposeForToken(reason, request, subject)] : []),
  ];
  const byRestrictions = isExcluded ? ('restricted' as const) : undefined;
  return { lines, refusal: reason ?? byRestrictions };
}
