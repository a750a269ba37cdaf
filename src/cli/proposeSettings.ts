import { difference, map, uniq } from 'lodash';
import { parse } from 'yaml';
import { DAY_MS } from '../gate/util/time';
import { CONFIG_KEY } from '../settings/read/readApiGateConfig';
import { readExternalSubjects } from '../settings/read/readExternalTokens';
import { readTokens } from '../settings/read/readTokens';
import { asObject } from '../settings/read/values';
import type { LoadedConfig } from './loadConfig';
import { holdsMock } from './mockEnv';
import { proposeAllow } from './proposeAllow';

export interface ProposalFacts extends LoadedConfig {
  /** `auth.apiGate` of the configuration. */
  present: Record<string, unknown>;
  installed: readonly string[];
  /** Today as a number of days since the epoch, in UTC. */
  today: number;
}

const REPORT_ONLY_DAYS = 14;
const TOKEN_DAYS = 180;

/** Plugins that nobody means to make public, not even in part. Backstage opens nothing of them to everybody, such as `/health`. */
const SENSITIVE_PLUGINS = [
  'catalog',
  'kubernetes',
  'mcp-actions',
  'scaffolder',
  'search',
  'techdocs',
  'user-settings',
];

/** A subject that YAML reads as the same text in quotes, and that is no text of the environment. */
const PLAIN_SUBJECT = /^[\w.:@/-]+\*?$/;

/** Formats a day since the epoch, in UTC, such as `2026-11-28`. */
export function formatDay(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

/** Returns whether a line sets anything. */
export const isActive = (line: string) => /^ *[^ #]/.test(line);

export function proposeSettings(facts: ProposalFacts): string[] {
  return [
    ...proposeMode(facts),
    ...proposeCookie(facts),
    ...proposePeople(facts),
    ...formatSetting('allow', facts, proposeAllow(facts), [
      'Requests that need no credential. Each rule is a comment, because anonymous requests are also those of attackers.',
      'Remove `# ` in front of `allow:` and of each rule that you mean, and add its reason.',
    ]),
    ...proposeExpectations(facts),
    ...proposeTokens(facts),
  ];
}

/** Formats lines of YAML. Where the configuration has their key already, every line is a comment, since a key can't be there twice. */
function formatSetting(
  key: string,
  { placeOf, present }: ProposalFacts,
  lines: string[],
  comments: string[],
): string[] {
  if (lines.length === 0) {
    return [];
  }
  const why = comments.map(comment => `# ${comment}`);
  if (!(key in present)) {
    return ['', ...why, ...lines];
  }
  const place = placeOf(`${CONFIG_KEY}.${key}`);
  return [
    '',
    ...why,
    `# ${key} is there already${place ? `, at ${place}` : ''}. Missing there:`,
    ...lines.map(line => `# ${line.replace(/^( *)# /, '$1')}`),
  ];
}

/** Proposes report-only for two weeks. A gate that has settings, or that refuses already, is left as it is. */
function proposeMode(facts: ProposalFacts): string[] {
  const { declared, root, today } = facts;
  if (root.has(CONFIG_KEY) || (declared && !declared.reportOnly)) {
    return [];
  }
  const end = `until: ${formatDay(today + REPORT_ONLY_DAYS)}`;
  return formatSetting(
    'mode',
    facts,
    ['mode: report-only', end],
    [
      'Before this day, 00:00 UTC, only ended sessions are refused. Then the gate enforces by itself. If requests that must work',
      'would stop, write a later day: the log and the policy route have these requests.',
      ...(declared
        ? []
        : ['Leave out both lines if the gate refuses already.']),
    ],
  );
}

/** Proposes a name with `__Host-` where browsers accept a cookie with it. */
function proposeCookie(facts: ProposalFacts): string[] {
  const cookie = asObject(facts.present.cookie);
  const { attributes, enabled } = facts.gate.cookie;
  const isAccepted =
    enabled && attributes.secure && cookie.domain === undefined;
  const lines =
    isAccepted && cookie.name === undefined
      ? ['cookie:', '  name: __Host-token']
      : [];
  return formatSetting('cookie', facts, lines, [
    'Browsers accept a cookie of this name from this host only.',
  ]);
}

/** Proposes the settings that only a person can fill in. */
function proposePeople(facts: ProposalFacts): string[] {
  const lines =
    'operators' in facts.present
      ? []
      : ["operators: [] # such as ['group:default/platform']"];
  return formatSetting('operators', facts, lines, [
    'TODO: name the users and groups that may open the page of the gate, and end the sessions of others.',
  ]);
}

/** Proposes that whole plugins stay closed. One where requests have worked waits for the decision of a person. */
function proposeExpectations(facts: ProposalFacts): string[] {
  const { declared, gate, installed, root } = facts;
  const decided = map([...gate.allow, ...gate.expect], 'plugin');
  const worked = (declared?.reportOnly?.worked ?? []).flatMap(
    ({ plugin, reason }) => (reason ? [] : plugin),
  );
  const ids = difference(SENSITIVE_PLUGINS, decided).filter(
    id => installed.includes(id) || (!declared && root.has(id)),
  );
  const lines = ids.map(id => {
    const line = `- { plugin: ${id}, is: closed }`;
    const doubt =
      (!installed.includes(id) && 'only if it is installed in this backend') ||
      (worked.includes(id) &&
        'requests worked there without a credential: see allow');
    return doubt ? `  # ${line} # ${doubt}` : `  ${line}`;
  });
  return formatSetting('expect', facts, withKey('expect', lines), [
    'Plugins that must never become public, not even in part. With a rule for one of them, the backend does not start, and',
    '`api-gate check` fails. Requests to them that work in report-only are meant to stop.',
  ]);
}

/** Proposes an entry that goes on to allow everything for each external token, and an end if it never ends. */
function proposeTokens(facts: ProposalFacts): string[] {
  const { issuers, named } = readExternalSubjects(facts.root);
  const decided = map(facts.gate.tokens, 'subject');
  const until = `    until: ${formatDay(facts.today + TOKEN_DAYS)}`;
  const ofNamed = difference(uniq(named), decided).flatMap(subject =>
    proposeEntry(subject, facts, [until]),
  );
  const defaults = map(issuers, ({ prefix }) => `${prefix}*`);
  const ofIssuers = difference(uniq(defaults), decided).flatMap(subject =>
    proposeEntry(subject, facts, []),
  );
  const lines = [...ofNamed, ...ofIssuers];
  return formatSetting('tokens', facts, withKey('tokens', lines), [
    'Once this list is there, an external token without an entry may make no request. Tokens of backend.auth.externalAccess never end',
    'by themselves. From its day on, the token of an entry is refused: write the day by which you will have renewed it.',
  ]);
}

function proposeEntry(
  subject: string,
  facts: ProposalFacts,
  others: string[],
): string[] {
  const isPlain = PLAIN_SUBJECT.test(subject) && !holdsMock(subject);
  return isPlain && readEntry(subject, facts)
    ? [
        `  - subject: '${subject}'`,
        '    only: all # or a list of the requests that it makes',
        ...others,
      ]
    : [`  # TODO: an entry for the subject ${JSON.stringify(subject)}`];
}

/** Adds the key of a list, which is a comment if all entries are. */
function withKey(key: string, entries: string[]): string[] {
  const isComment = !entries.some(isActive);
  return entries.length > 0
    ? [`${isComment ? '# ' : ''}${key}:`, ...entries]
    : [];
}

/** Returns the entry of a subject, with the settings of YAML, as the gate reads it; `undefined` if the gate refuses it. */
function readEntry(subject: string, { root }: ProposalFacts, yaml = '') {
  try {
    const [settings] = parse(yaml) ?? [];
    const entry = { only: 'all', ...asObject(settings), subject };
    return readTokens([entry], `${CONFIG_KEY}.tokens`, root)?.[0];
  } catch {
    return undefined;
  }
}
