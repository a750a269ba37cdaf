/** A path that a well-known plugin serves. */
export interface AuditedPath {
  plugin: string;
  /** The path of a GET request, below the plugin. */
  path: string;
  /** The data or the action that an open path gives to everybody. */
  gives: string;
  /** The rule that keeps the path open behind the gate; `undefined` if no rule should. */
  rule?: string;
  /** The change that closes the path, if the gate does not. */
  remedy?: string;
}

/**
 * The paths that plugins open to everybody in code, by `addAuthPolicy({ allow: 'unauthenticated' })` or by a setting. The list is
 * taken from the published packages of November 2026 and from the sources of `backstage/backstage`,
 * `backstage/community-plugins`, `PagerDuty/backstage-plugins` and `drodil/backstage-plugin-qeta`.
 */
const OPENED_IN_CODE: AuditedPath[] = [
  {
    plugin: 'events',
    path: '/http/github',
    gives: 'events by POST to subscribers, from anybody who knows the topic',
    rule: "- { plugin: events, path: '/http/github', methods: [POST] }  # set the webhook secret of the events module first",
  },
  {
    plugin: 'badges',
    path: '/entity/default/component/api-gate-audit/badge/pingback',
    gives: 'badges of every entity',
    rule: "- { plugin: badges, path: '/entity/*/*/*/badge/*' }",
  },
  {
    plugin: 'qeta',
    path: '/attachments/api-gate-audit',
    gives: 'attachments of questions and answers',
    rule: "- { plugin: qeta, path: '/attachments/**' }",
  },
  {
    plugin: 'pagerduty',
    path: '/api-gate-audit',
    gives: 'on-call data, with pagerDuty.enableUnauthenticatedAccess',
  },
  ...[
    ...['permission', 'signals', 'devtools', 'azure-devops', 'linguist'],
    ...['code-coverage', 'copilot', 'airbrake', 'nomad', 'azure-sites'],
    'tech-radar',
  ].map(plugin => ({
    plugin,
    path: '/health',
    gives: 'that the plugin is installed and up',
    rule: `- { plugin: ${plugin}, path: '/health' }`,
  })),
];

/** Data of well-known plugins, which Backstage itself closes unless its default auth policy is disabled. */
const CLOSED_BY_BACKSTAGE: AuditedPath[] = [
  { plugin: 'catalog', path: '/entities?limit=1', gives: 'the catalog' },
  { plugin: 'search', path: '/query?term=', gives: 'the search index' },
  {
    plugin: 'techdocs',
    path: '/metadata/entity/default/component/api-gate-audit',
    gives: 'entities and their documentation',
  },
  { plugin: 'scaffolder', path: '/v2/actions', gives: 'templates and tasks' },
  {
    plugin: 'kubernetes',
    path: '/clusters',
    gives: 'clusters and their objects',
  },
  {
    plugin: 'devtools',
    path: '/info',
    gives: 'versions and the configuration',
  },
  { plugin: 'permission', path: '/policies', gives: 'roles and permissions' },
  { plugin: 'todo', path: '/v1/todos', gives: 'comments in source code' },
  { plugin: 'explore', path: '/tools', gives: 'the list of tools' },
  {
    plugin: 'announcements',
    path: '/announcements',
    gives: 'the announcements',
  },
];

/** The gate does not close `auth`, which sign-in uses. */
const SIGN_IN: AuditedPath[] = [
  {
    plugin: 'auth',
    path: '/guest/refresh',
    gives: 'a valid token to everybody, which opens every other path too',
    remedy: 'remove auth.providers.guest: the gate does not close it',
  },
];

export const AUDITED_PATHS: readonly AuditedPath[] = [
  ...OPENED_IN_CODE,
  ...CLOSED_BY_BACKSTAGE,
  ...SIGN_IN,
];
