// What a scan finds in published plugins: see `run`.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { uniq } from 'lodash';
import { run as apiGate } from '../../../src/cli/run';
import type { AuditedPath } from '../../../src/cli/audit';
import { expectEqual } from '../../Report';
import { runChecks } from '../../runChecks';
import { AUDITED, listAudited } from './audited';

const NO_CHECK = 'no check of a permission or a user in the package';

/** What is known of each plugin. */
const KNOWN: Record<string, string[]> = {
  '@backstage-community/plugin-badges-backend@0.27.0': [
    'badges GET /entity/:entityUuid/:badgeId anybody',
    'badges GET /entity/:namespace/:kind/:name/badge/:badgeId anybody',
  ],
  '@backstage-community/plugin-copilot-backend@1.1.0': [
    'copilot GET /health anybody',
    `copilot 3 of 19 routes change something; ${NO_CHECK}`,
  ],
  '@backstage-community/plugin-linguist-backend@0.31.0': [
    'linguist GET /health anybody',
  ],
  '@backstage-community/plugin-tech-radar-backend@1.21.0': [
    'tech-radar GET /health anybody',
    `tech-radar 0 of 1 routes change something; ${NO_CHECK}`,
  ],
  '@backstage/plugin-notifications-backend@0.6.11': [
    'notifications /health anybody',
  ],
  // Releases before November 2026 opened all of it to everybody.
  '@backstage/plugin-signals-backend@0.3.19': ['signals /** anybody'],
  '@backstage/plugin-signals-backend@0.3.21': ['signals GET /health anybody'],
  '@drodil/backstage-plugin-qeta-backend@4.0.5': [
    'qeta POST /attachments anybody',
  ],
  '@immobiliarelabs/backstage-plugin-gitlab-backend@7.0.1': [
    `catalog,gitlab 2 of 2 routes change something, 2 with a computed path; ${NO_CHECK}`,
  ],
  '@pagerduty/backstage-plugin-backend@0.14.0': [
    'pagerduty /** anybody, if pagerDuty.enableUnauthenticatedAccess',
    `pagerduty 14 of 33 routes change something; ${NO_CHECK}`,
  ],
  '@roadiehq/backstage-plugin-argo-cd-backend@4.8.0': [
    `argocd 5 of 13 routes change something; ${NO_CHECK}`,
  ],
};

const LIST = path.resolve(__dirname, '../../../src/cli/scan/audited.json');

runChecks({ name: 'scan', limitMs: 300_000 }, async ({ report, folder }) => {
  const specs = uniq([...Object.keys(KNOWN), ...Object.keys(AUDITED)]);
  const tarballs = execFileSync(
    'npm',
    ['pack', ...specs, '--silent', '--pack-destination', folder],
    { encoding: 'utf8' },
  ).split('\n');

  /** Scans a published package, and returns what the command prints, with its exit code. */
  async function scanPublished(spec: string, ...options: string[]) {
    const to = path.join(folder, spec);
    mkdirSync(to, { recursive: true });
    const tarball = path.join(folder, tarballs[specs.indexOf(spec)]);
    execFileSync('tar', ['-xzf', tarball, '-C', to]);
    const lines: string[] = [];
    const args = ['scan', ...options, path.join(to, 'package')];
    const code = await apiGate(args, {
      out: line => lines.push(line),
      error: () => {},
    });
    return { code, lines };
  }

  for (const [spec, known] of Object.entries(KNOWN)) {
    await report.check(
      `[P120] what a scan finds in published plugins: ${spec}`,
      async () => {
        const [version] = spec.split('@').slice(-1);
        const { lines } = await scanPublished(spec);
        const found = lines.map(line =>
          line.replace(` ${version} `, ' ').replace(/ +/g, ' '),
        );
        expectEqual('what the scan finds', found, known);
        return `${known.length} lines`;
      },
    );
  }

  // The registry does not have the releases that opened `proxy` and `signals` again: #23847 and #23931 of backstage/backstage.
  await report.check(
    '[P120] a scan against an earlier one names what a release of signals closes and opens',
    async () => {
      const [before, after] = ['0.3.19', '0.3.21'].map(
        version => `@backstage/plugin-signals-backend@${version}`,
      );
      const changes = async (from: string, to: string) => {
        const file = path.join(folder, 'opens.json');
        const earlier = await scanPublished(from, '--json');
        writeFileSync(file, earlier.lines.join('\n'));
        return scanPublished(to, '--against', file, '--fail-on', 'opens');
      };
      const expectChanges = async (from: string, to: string, lines: string[]) =>
        expectEqual(`from ${from}`, await changes(from, to), {
          code: 1,
          lines,
        });
      await expectChanges(before, after, [
        '+ opens  signals 0.3.21  GET /health  to anybody',
        '- opens  signals 0.3.19  /**  to anybody',
      ]);
      await expectChanges(after, before, [
        '+ opens  signals 0.3.19  /**  to anybody',
        '- opens  signals 0.3.21  GET /health  to anybody',
      ]);
      const same = await changes(after, after);
      expectEqual('from itself', same, {
        code: 0,
        lines: ['No difference in what is open'],
      });
      return 'both ways, and exit code 1';
    },
  );

  await report.check(
    'the list of api-gate audit is made from scans of published plugins',
    async () => {
      const audited: AuditedPath[] = [];
      for (const [spec, known] of Object.entries(AUDITED)) {
        const { lines } = await scanPublished(spec, '--json');
        const [scan] = JSON.parse(lines.join('')).packages;
        audited.push(...listAudited(scan, known));
      }
      const text = `${JSON.stringify(audited, null, 2)}\n`;
      if (process.argv.includes('--write')) {
        writeFileSync(LIST, text);
      }
      expectEqual('the list', readFileSync(LIST, 'utf8'), text);
      return `${audited.length} paths`;
    },
  );
});
