import { findUnscanned } from '../../../src/cli/scan/compareScans';
import type { PackageScan } from '../../../src/cli/scan/scanPackage';
import type { DeclaredOpening } from '../../../src/settings/declaredOpen';
import { expectEqual, Report } from '../../Report';
import { App, POLICY_TOKEN } from './App';
import { buildOwnPlugin, OWN_PLUGIN } from './ownPlugin';

const MAX_SECONDS = 5;

/** Returns what only packages of which no code was read may open: the backend itself, and what is not built. */
function openedByCodeThatIsNotRead(
  scans: PackageScan[],
  declared: DeclaredOpening[],
): string[] {
  const read = scans.filter(({ plugins }) => plugins.length > 0);
  const paths = findUnscanned(read, declared).map(each => each.paths[0]);
  return [...new Set(paths)];
}

/** Returns what a scan says about the app's own plugin. */
const linesOfOwnPlugin = (scans: PackageScan[]) =>
  scans
    .filter(({ name }) => name === OWN_PLUGIN)
    .flatMap(({ doubts, opens }) => [
      ...doubts.map(({ doubt }) => doubt),
      ...opens.map(({ path }) => `opens ${path}`),
    ]);

/**
 * Compares a scan of the app with what its plugins have declared, before and after its own plugin is built.
 *
 * @param policy - the URL of the policy route of the running backend
 */
export async function checkScan(
  report: Report,
  app: App,
  policy: string,
): Promise<void> {
  const scan = async (): Promise<PackageScan[]> =>
    JSON.parse(await app.apiGate('scan', [], '--json')).packages;
  const answer = await fetch(policy, {
    headers: { Authorization: `Bearer ${POLICY_TOKEN}` },
  });
  const { closed: declared } = await answer.json();

  await report.check(
    '[P120] a scan names what the running plugins have declared',
    async () => {
      const scans = await scan();
      expectEqual('what it lacks', findUnscanned(scans, declared), []);
      expectEqual(
        'what code that is not read may open',
        openedByCodeThatIsNotRead(scans, declared),
        ['/export', '/count'],
      );
      return `${declared.length} policies, ${scans.length} packages`;
    },
  );

  await report.check(`a scan takes less than ${MAX_SECONDS} s`, async () => {
    const seconds = await app.cpuSecondsOf('scan', '--json');
    if (!(seconds < MAX_SECONDS)) {
      throw new Error(`${seconds} s of CPU time`);
    }
    return `${seconds.toFixed(1)} s of CPU time`;
  });

  await report.check(
    '[P120] a scan reads a plugin of the app itself, which is a link, once it is built',
    async () => {
      expectEqual('before', linesOfOwnPlugin(await scan()), [
        `not built: yarn workspace ${OWN_PLUGIN} build`,
      ]);
      buildOwnPlugin(app.folder);
      const scans = await scan();
      expectEqual('after', linesOfOwnPlugin(scans), ['opens /count']);
      expectEqual(
        'what code that is not read may open',
        openedByCodeThatIsNotRead(scans, declared),
        ['/export'],
      );
      return 'opens /count';
    },
  );
}
