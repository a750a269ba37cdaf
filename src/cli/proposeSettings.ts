import { compact } from 'lodash';
import { parse } from 'yaml';
import { yamlOf } from '../config/AllowRule';
import { formatLocation } from '../config/locate';
import { CONFIG_KEY } from '../config/readApiGateConfig';
import { readExternalSubjects } from '../config/readExternalTokens';
import { readTokens } from '../config/readTokens';
import { asObject } from '../config/values';
import { formatDay } from '../usage/Use';
import { shorten } from '../util/logLine';
import type { DeclaredInCode } from './fetchPolicy';
import { holdsMock, LoadedConfig } from './loadConfig';

/** A setting that `api-gate init` prints. */
export interface ProposedSetting {
  /** Below `auth.apiGate`. */
  key: string;
  /** Says what the setting is for. */
  comments: string[];
  /** The lines of YAML that the configuration lacks. Some are comments. */
  lines: string[];
}

/** The facts that settings are proposed by. */
export interface ProposalFacts {
  loaded: LoadedConfig;
  /** The policy of a running backend; `undefined` without `--policy`. */
  declared: DeclaredInCode | undefined;
  /** `auth.apiGate` of the configuration. */
  present: Record<string, unknown>;
  /** Ids of the plugins that are known to be installed. */
  installed: readonly string[];
  /** Today as a number of days since the epoch, in UTC. */
  today: number;
}

const REPORT_ONLY_DAYS = 14;
const TOKEN_DAYS = 180;
const MAX_BYTES = 500;

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
const PLAIN_SUBJECT = /^[\w.:@/-]+$/;

/** Returns whether a line sets anything. */
export const isActive = (line: string) => /^ *[^ #]/.test(line);

/** Formats a setting. Where the configuration has its key already, every line is a comment, since a key can't be there twice. */
export function formatSetting(
  { key, comments, lines }: ProposedSetting,
  { loaded, present }: ProposalFacts,
): string[] {
  if (lines.length === 0) {
    return [];
  }
  const why = comments.map(comment => `# ${comment}`);
  if (!(key in present)) {
    return ['', ...why, ...lines];
  }
  const place = loaded.locate(`${CONFIG_KEY}.${key}`);
  return [
    '',
    ...why,
    `# ${key} is there already${place ? `, at ${formatLocation(place)}` : ''}. Missing there:`,
    ...lines.map(line => `# ${line.replace(/^( *)# /, '$1')}`),
  ];
}

/** Proposes report-only for two weeks. A gate that has settings, or that refuses already, is left as it is. */
export function proposeMode(facts: ProposalFacts): ProposedSetting {
  const { declared, loaded, today } = facts;
  const isEnforcing = declared !== undefined && !declared.reportOnly;
  const { because, enforce } = declared?.reportOnly ?? {};
  return {
    key: 'mode',
    comments: [
      'Nothing is refused before this day, 00:00 UTC. From then on, the gate enforces by itself. If requests that must work',
      'would stop, write a later day: the log of each start and the policy route list these requests.',
      declared
        ? shorten(`Enforce: ${enforce}, since ${because}`, MAX_BYTES)
        : 'Leave out both lines if the gate refuses already.',
    ],
    lines:
      loaded.root.has(CONFIG_KEY) || isEnforcing
        ? []
        : [
            'mode: report-only',
            `until: ${formatDay(today + REPORT_ONLY_DAYS)}`,
          ],
  };
}

/** Proposes a name with `__Host-` where browsers accept a cookie with it. */
export function proposeCookie(
  { loaded, present }: ProposalFacts,
  isAccepted: (settings: object) => boolean,
): ProposedSetting {
  const name = '__Host-token';
  const cookie = asObject(present.cookie);
  const { attributes, enabled } = loaded.gate.cookie;
  const isProposed =
    cookie.name === undefined &&
    enabled &&
    attributes.secure &&
    isAccepted({ cookie: { ...cookie, name } });
  return {
    key: 'cookie',
    comments: ['Browsers accept a cookie of this name from this host only.'],
    lines: isProposed ? ['cookie:', `  name: ${name}`] : [],
  };
}

/** Proposes the settings that only a person can fill in. */
export function proposePeople({ present }: ProposalFacts): ProposedSetting {
  const hasOperators = 'operators' in present;
  return {
    key: hasOperators ? 'readers' : 'operators',
    comments: [
      hasOperators
        ? 'Others who may open the page of the gate:'
        : 'TODO: name the users and groups that may open the page of the gate, and end the sessions of others.',
    ],
    lines: compact([
      !hasOperators && "operators: [] # such as ['group:default/platform']",
      !('readers' in present) &&
        "# readers: ['group:default/security'] # may open the page, and end nothing",
    ]),
  };
}

/** Proposes that whole plugins stay closed. One where requests have worked waits for the decision of a person. */
export function proposeExpectations(facts: ProposalFacts): ProposedSetting {
  const { declared, installed, loaded } = facts;
  const { allow, candidate, expect } = loaded.gate;
  const tried = candidate && 'allow' in candidate ? candidate.allow : [];
  const isDecided = (id: string) =>
    [...allow, ...tried, ...expect].some(({ plugin }) => plugin === id);
  const hasWorked = (id: string) =>
    declared?.reportOnly?.worked.some(({ plugin }) => plugin === id);
  const lines = SENSITIVE_PLUGINS.filter(
    id =>
      !isDecided(id) &&
      (installed.includes(id) || (!declared && loaded.root.has(id))),
  ).map(id => {
    const line = `- { plugin: ${id}, is: closed }`;
    const [doubt] = [
      !installed.includes(id) && 'only if it is installed in this backend',
      hasWorked(id) && 'requests worked there without a credential: see allow',
    ].filter(Boolean);
    return doubt ? `  # ${line} # ${doubt}` : `  ${line}`;
  });
  return {
    key: 'expect',
    comments: [
      'Plugins that must never become public, not even in part. With a rule for one of them, the backend does not start, and',
      '`api-gate check` fails. Requests to them that work in report-only are meant to stop.',
    ],
    lines:
      lines.length === 0
        ? []
        : [lines.some(isActive) ? 'expect:' : '# expect:', ...lines],
  };
}

/** Proposes an end for each external token that never ends, and as a comment the requests that it has made. */
export function proposeTokens(facts: ProposalFacts): ProposedSetting {
  const { loaded, today } = facts;
  const { allow, tokens } = loaded.gate;
  const isDecided = (subject: string) =>
    tokens.some(entry => entry.subject === subject) ||
    // Nobody can present the token of a public reader.
    allow.some(({ as }) => as === subject);
  const until = formatDay(today + TOKEN_DAYS);
  const lines = [...new Set(readExternalSubjects(loaded.root).named)]
    .filter(subject => !isDecided(subject))
    .flatMap(subject =>
      isWritable(subject, facts)
        ? [
            `  - subject: '${subject}'`,
            `    until: ${until}`,
            ...proposeOnly(subject, facts),
          ]
        : [`  # TODO: an entry for the subject ${JSON.stringify(subject)}`],
    );
  return {
    key: 'tokens',
    comments: [
      'Tokens of backend.auth.externalAccess never end by themselves. From its day on, the token of an entry is refused: write',
      'the day by which you will have renewed it.',
    ],
    lines:
      lines.length === 0
        ? []
        : [lines.some(isActive) ? 'tokens:' : '# tokens:', ...lines],
  };
}

function isWritable(subject: string, { loaded }: ProposalFacts): boolean {
  return (
    PLAIN_SUBJECT.test(subject) &&
    !holdsMock(subject) &&
    readEntry(subject, loaded) !== undefined
  );
}

/** Returns the entry of a subject, with the settings of YAML, as the gate reads it; `undefined` if the gate refuses it. */
function readEntry(
  subject: string,
  { root }: ProposalFacts['loaded'],
  yaml = '',
) {
  try {
    const [settings] = parse(yaml) ?? [];
    const entry = { ...asObject(settings), subject };
    return readTokens([entry], `${CONFIG_KEY}.tokens`, root)[0];
  } catch {
    return undefined;
  }
}

/** Returns the requests that a token has made, in the form that the gate itself reads from the policy of a server. */
function proposeOnly(
  subject: string,
  { declared, loaded }: ProposalFacts,
): string[] {
  const { only: yaml = '' } =
    declared?.usage?.externalTokens.find(each => each.subject === subject) ??
    {};
  const { only = [] } =
    readEntry(subject, loaded, yaml.replace(/^# /gm, '')) ?? {};
  return only.length === 0
    ? []
    : [
        '    # only: # what it has called in the time of the record',
        ...only.map(rule => `    #   ${yamlOf(rule)}`),
      ];
}
