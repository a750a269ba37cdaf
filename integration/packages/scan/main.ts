// What the report's reader of packages finds in published plugins: see `run`.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { uniq } from 'lodash';
import type { AuditedPath } from '../../../src/cli/audit';
import { readPackage } from '../../../src/cli/packages/readPackage';
import { expectEqual } from '../../Report';
import { runChecks } from '../../runChecks';
import { AUDITED, listAudited, ReadPackage } from './audited';
import { readGetRoutes } from './readGetRoutes';

/** What is known of each plugin. */
const KNOWN: Record<string, string[]> = {
  '@backstage-community/plugin-badges-backend@0.27.0': [
    'badges /entity/:entityUuid/:badgeId unauthenticated',
    'badges /entity/:namespace/:kind/:name/badge/:badgeId unauthenticated',
  ],
  '@backstage-community/plugin-copilot-backend@1.1.0': [
    'copilot /health unauthenticated',
  ],
  '@backstage-community/plugin-linguist-backend@0.31.0': [
    'linguist /health unauthenticated',
  ],
  '@backstage-community/plugin-tech-radar-backend@1.21.0': [
    'tech-radar /health unauthenticated',
  ],
  '@backstage/plugin-notifications-backend@0.6.11': [
    'notifications /health unauthenticated',
  ],
  // Releases before November 2026 opened all of it to everybody.
  '@backstage/plugin-signals-backend@0.3.19': ['signals / unauthenticated'],
  '@backstage/plugin-signals-backend@0.3.21': [
    'signals /health unauthenticated',
  ],
  '@drodil/backstage-plugin-qeta-backend@4.0.5': [
    'qeta /attachments unauthenticated',
  ],
  '@immobiliarelabs/backstage-plugin-gitlab-backend@7.0.1': [],
  '@pagerduty/backstage-plugin-backend@0.14.0': [
    'pagerduty / unauthenticated, if pagerDuty.enableUnauthenticatedAccess',
  ],
  '@roadiehq/backstage-plugin-argo-cd-backend@4.8.0': [],
};

const LIST = path.resolve(__dirname, '../../../src/cli/audited.json');

runChecks({ name: 'scan', limitMs: 300_000 }, async ({ report, folder }) => {
  const specs = uniq([...Object.keys(KNOWN), ...Object.keys(AUDITED)]);
  const tarballs = execFileSync(
    'npm',
    ['pack', ...specs, '--silent', '--pack-destination', folder],
    { encoding: 'utf8' },
  ).split('\n');

  function readPublished(spec: string): ReadPackage {
    const to = path.join(folder, spec);
    mkdirSync(to, { recursive: true });
    const tarball = path.join(folder, tarballs[specs.indexOf(spec)]);
    execFileSync('tar', ['-xzf', tarball, '-C', to]);
    const own = path.join(to, 'package');
    const manifest = readFileSync(path.join(own, 'package.json'), 'utf8');
    const { name, version } = JSON.parse(manifest);
    const files = readdirSync(own, { encoding: 'utf8', recursive: true });
    const routes = files
      .filter(file => /\.[cm]?js$/.test(file))
      .flatMap(file =>
        readGetRoutes(readFileSync(path.join(own, file), 'utf8')),
      );
    return { ...readPackage({ name, folder: own }), routes, version };
  }

  for (const [spec, known] of Object.entries(KNOWN)) {
    await report.check(
      `[P120] what the report has of published plugins: ${spec}`,
      async () => {
        const { doubts, opens } = readPublished(spec);
        const found = opens.map(({ allow, path: at, plugin, setting }) =>
          [
            `${plugin} ${at} ${allow}`,
            ...(setting ? [`if ${setting}`] : []),
          ].join(', '),
        );
        expectEqual('what is open', [...doubts, ...found].sort(), known);
        return `${known.length} policies`;
      },
    );
  }

  await report.check(
    'the list of api-gate audit is made from published plugins',
    async () => {
      const audited: AuditedPath[] = Object.entries(AUDITED).flatMap(
        ([spec, known]) => listAudited(readPublished(spec), known),
      );
      const text = `${JSON.stringify(audited, null, 2)}\n`;
      if (process.argv.includes('--write')) {
        writeFileSync(LIST, text);
      }
      expectEqual('the list', readFileSync(LIST, 'utf8'), text);
      return `${audited.length} paths`;
    },
  );
});
