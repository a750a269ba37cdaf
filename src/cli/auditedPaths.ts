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

export const AUDITED_PATHS: readonly AuditedPath[] = [
  // Plugins open these to everybody in code, by `addAuthPolicy({ allow: 'unauthenticated' })` or by a setting. They are taken from
  // the published packages of November 2026 and from the sources of `backstage/backstage`, `backstage/community-plugins`,
  // `PagerDuty/backstage-plugins` and `drodil/backstage-plugin-qeta`.
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
    path: '/health',
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

  // Data of well-known plugins, which Backstage itself closes unless its default auth policy is disabled.
  ...[
    ['catalog', '/entities?limit=1', 'the catalog'],
    ['search', '/query?term=', 'the search index'],
    [
      'techdocs',
      '/metadata/entity/default/component/api-gate-audit',
      'entities and their documentation',
    ],
    ['scaffolder', '/v2/actions', 'templates and tasks'],
    ['kubernetes', '/clusters', 'clusters and their objects'],
    ['devtools', '/info', 'versions and the configuration'],
    ['permission', '/policies', 'roles and permissions'],
    ['todo', '/v1/todos', 'comments in source code'],
    ['explore', '/tools', 'the list of tools'],
    ['announcements', '/announcements', 'the announcements'],
  ].map(([plugin, path, gives]) => ({ plugin, path, gives })),

  // The gate does not close `auth`, which sign-in uses.
  {
    plugin: 'auth',
    path: '/guest/refresh',
    gives: 'a valid token to everybody, which opens every other path too',
    remedy: 'remove auth.providers.guest: the gate does not close it',
  },
];
