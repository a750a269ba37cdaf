import type { PackageScan } from '../../cli/scan/scanPackage';
import type { DeclaredPolicy } from '../../gate/plugins/DeclaredPolicies';

export type ComparedPolicy = Pick<
  DeclaredPolicy,
  'plugin' | 'path' | 'allow' | 'isWebSocket'
>;

/** Finds what plugins have declared in a running backend and a scan of their packages neither names nor doubts. */
export function findUnscanned(
  scans: PackageScan[],
  declared: ComparedPolicy[],
) {
  const isOf = (plugin: string, id = '?') =>
    id === '?' || id.toLowerCase() === plugin;
  return declared.filter(
    ({ plugin, path, allow, isWebSocket }) =>
      !scans.some(({ plugins, opens }) =>
        opens.some(each =>
          each.doubt
            ? plugins.length === 0 || plugins.some(id => isOf(plugin, id))
            : isOf(plugin, each.plugin) &&
              each.path === path &&
              each.allow === allow &&
              each.isWebSocket === isWebSocket,
        ),
      ),
  );
}
