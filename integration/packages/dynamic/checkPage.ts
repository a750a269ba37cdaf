import path from 'node:path';
import { readFileSync } from 'node:fs';
import { HELLO, send } from '../../http';
import { expectEqual, Report } from '../../Report';
import { entry, installing } from './page';
import { DynamicBackend, linesAt } from './World';

/**
 * Checks that docs/recipes/rhdh.md is about what this suite has.
 *
 * @param asWritten - a backend with the `pluginConfig` of the page
 * @param tarball - the archive that the commands of the page have made
 */
export async function checkPage(
  report: Report,
  asWritten: DynamicBackend,
  tarball: string,
): Promise<void> {
  await report.check(
    '[P70] the page installs, exports and names what this suite does',
    async () => {
      const { dependencies } = JSON.parse(
        readFileSync(path.join(__dirname, 'export/package.json'), 'utf8'),
      );
      const installed = Object.entries(dependencies)
        .map(([name, version]) => `${name}@${version}`)
        .sort();
      const named = installing.match(/@[\w-]+\/[\w-]+@[\d.]+/g)!.sort();
      expectEqual('packages', named, installed);
      expectEqual(
        'the archive',
        path.basename(entry.package),
        path.basename(tarball),
      );
      return installed.join(' ');
    },
  );
  await report.check(
    '[P70] the configuration of the page is read, with its rule',
    async () => {
      const [mode] = linesAt(asWritten, 'info').filter(line =>
        line.startsWith('API gate: '),
      );
      expectEqual(
        'mode',
        mode.split('\n')[0].split(',')[0],
        'API gate: report-only',
      );
      expectEqual(
        'the rule',
        mode.includes('POST /api/events/http/github'),
        true,
      );
      const { status } = await send(asWritten.port, { path: HELLO });
      expectEqual('in report-only', status, 200);
      return mode.split('\n').slice(0, 3).join(' | ');
    },
  );
}
