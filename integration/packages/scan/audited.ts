import type { AuditedPath } from '../../../src/cli/audit';
import type { Opening } from '../../../src/cli/packages/PolicyReader';
import type { PackageOpenings } from '../../../src/cli/packages/readPackage';
import { isBelow } from '../../../src/operators/findings/backstageSettings';

/** The packages whose plugins `api-gate audit` asks, and what a scan of one can't say. */
export const AUDITED: Record<string, Partial<AuditedPath>> = {
  '@axis-backstage/plugin-jira-dashboard-backend@6.1.6': {},
  '@backstage-community/plugin-airbrake-backend@0.25.0': {},
  '@backstage-community/plugin-announcements-backend@0.29.0': {},
  '@backstage-community/plugin-azure-devops-backend@0.32.0': {},
  '@backstage-community/plugin-azure-sites-backend@0.16.0': {},
  '@backstage-community/plugin-badges-backend@0.27.0': {},
  '@backstage-community/plugin-code-coverage-backend@0.16.1': {},
  '@backstage-community/plugin-copilot-backend@1.1.0': {},
  '@backstage-community/plugin-explore-backend@0.16.0': {},
  '@backstage-community/plugin-linguist-backend@0.31.0': {},
  '@backstage-community/plugin-nomad-backend@0.23.0': {},
  '@backstage-community/plugin-tech-radar-backend@1.21.0': {},
  '@backstage-community/plugin-todo-backend@0.25.0': {},
  '@backstage/plugin-catalog-backend@4.0.5': {},
  '@backstage/plugin-devtools-backend@0.5.21': {},
  // The topics of webhooks are computed.
  '@backstage/plugin-events-backend@0.6.6': {
    path: '/http/github',
    rule: "- { plugin: events, path: '/http/github', methods: [POST] }  # set the webhook secret of the events module first",
  },
  '@backstage/plugin-kubernetes-backend@0.21.15': {},
  '@backstage/plugin-notifications-backend@0.6.11': {},
  '@backstage/plugin-permission-backend@0.7.18': {},
  '@backstage/plugin-scaffolder-backend@4.3.0': {},
  '@backstage/plugin-search-backend@2.1.9': {},
  '@backstage/plugin-signals-backend@0.3.21': {},
  '@drodil/backstage-plugin-qeta-backend@4.0.5': {},
  '@pagerduty/backstage-plugin-backend@0.14.0': {},
};

const PARAMETER = /:\w+/g;

/** A published package, as it was read. */
export interface ReadPackage extends PackageOpenings {
  version: string;
  /** The paths of its GET routes. */
  routes: string[];
}

/** Lists what `api-gate audit` asks of a plugin: each path that it opens to everybody, and one that Backstage closes. */
export function listAudited(
  read: ReadPackage,
  known: Partial<AuditedPath>,
): AuditedPath[] {
  const { name, opens, plugin = '?', version } = read;
  const parametersOf = (path: string) => path.match(PARAMETER)?.length ?? 0;
  const routes = [...read.routes].sort(
    (a, b) => parametersOf(a) - parametersOf(b),
  );
  const publicOnes = opens.filter(({ allow }) => allow === 'unauthenticated');
  // The path of a request, in which a parameter has a value.
  const ask = (path: string) => path.replace(PARAMETER, 'api-gate-audit');

  function describeOpened({ path, setting }: Opening): AuditedPath {
    const [route = path] = ['/health', ...routes].filter(
      each => routes.includes(each) && isBelow(each, path),
    );
    const inRule = `${path.replace(PARAMETER, '*')}${route === path ? '' : '/**'}`;
    return {
      plugin,
      path: ask(route),
      why: `${name} ${version} opens it to everybody${setting ? `, with ${setting}` : ' in code'}`,
      ...(path !== '/' && {
        rule: `- { plugin: ${plugin}, path: '${inRule}' }`,
      }),
      ...known,
    };
  }

  // A 404 from the handler of a route with a parameter would show nothing.
  const closed = routes.find(
    route =>
      route !== '/health' &&
      parametersOf(route) === 0 &&
      !publicOnes.some(({ path }) => isBelow(route, path)),
  );
  return [
    ...publicOnes.map(describeOpened),
    ...(closed === undefined
      ? []
      : [
          {
            plugin,
            path: closed,
            why: `${name} ${version} leaves it to Backstage's default auth policy, which is disabled`,
          },
        ]),
  ];
}
