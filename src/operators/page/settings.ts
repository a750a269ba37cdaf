import type { Finding } from '../findings/Finding';
import { CONFIG_KEY } from '../../settings/read/readApiGateConfig';
import type { PolicyReport } from '../reports/describePolicy';
import type { Pieces } from '../pieces';
import { Content, html } from './html';
import { code, Column, Late, list, table, tag } from './parts';

const FINDINGS: readonly Column<Finding>[] = [
  [
    'Finding',
    ({ accepted, id }) => [
      code(id),
      accepted && tag('closed', 'accepted: ', accepted.reason),
    ],
  ],
  ['At', ({ at }) => code(at)],
  ['Why', ({ why }) => why],
  ['Write', ({ write }) => write],
];

const EXPECTED: readonly Column<PolicyReport['expect'][number]>[] = [
  [
    'Expected',
    ({ plugin, request }) =>
      request === undefined ? `Everything of ${plugin}` : code(request),
  ],
  ['Is', ({ is }) => is],
  [
    'Holds',
    ({ holds }) =>
      holds ? 'yes' : tag('warned', 'not any more: its rule has ended'),
  ],
];

const TITLES: Record<string, string> = {
  operators: 'May end sessions of others, lock users out, and read this page',
  readers: 'May read this page',
  issuers: 'Whose user tokens are accepted besides its own',
  credentialHeader: 'May hold the token in place of Authorization',
  foreignAuthorization: 'Where Authorization is for another server',
  cookie: 'Where the cookie authenticates, and for how long',
  signOut: 'What a sign-out ends',
};

type Setting = [key: string, value: unknown];

const SETTINGS: readonly Column<Setting>[] = [
  [
    'Setting',
    ([key]) => [TITLES[key], html`<small>${CONFIG_KEY}.${key}</small>`],
  ],
  ['Value', ([, value]) => formatValue(value)],
];

/** Renders what to change: each finding, with what to write instead. */
export function renderFindings({ findings }: PolicyReport): Pieces<Late> {
  const none = 'No setting makes the gate pointless, and no rule is dangerous.';
  return table(FINDINGS, findings, none);
}

/** Renders what operators expect to be public or closed, and whether it is. */
export function renderExpected(report: PolicyReport): Pieces<Late> {
  const none = `Nothing is written down in ${CONFIG_KEY}.expect.`;
  const warning =
    !report.enforced && 'What has to be closed is closed once you enforce.';
  return table(EXPECTED, report.expect, none, warning);
}

/** Renders who may do what, and whom the gate trusts. */
export function renderSettings(report: PolicyReport): Pieces<Late> {
  const settings: Record<string, unknown> = report.settings;
  const rows = Object.keys(TITLES).map((key): Setting => [key, settings[key]]);
  return table(SETTINGS, rows);
}

function formatValue(value: unknown): Content {
  if (typeof value !== 'object') {
    return value === undefined ? 'none' : String(value);
  }
  const { plugin, path, ...others } = value as Record<string, unknown>;
  if (plugin !== undefined) {
    return code(`/api/${plugin}${path}`);
  }
  const items = Object.entries(others)
    .filter(([, each]) => each !== undefined)
    .map(([key, each]) => [
      !Array.isArray(value) && `${key}: `,
      formatValue(each),
    ]);
  return list(items) ?? 'none';
}
