import { filter, map, uniq, without } from 'lodash';
import { WEBSOCKET } from '../../gate/read/requestLine';
import { isEnforced } from '../../gate/rules/Policy';
import { formatPaths, pathsOfRules } from '../../settings/declaredOpen';
import { CONFIG_KEY } from '../../settings/read/readApiGateConfig';
import type { LoadedConfig } from '../loadConfig';
import type { Opening } from './FactsReader';
import type { PackageScan } from './scanPackage';

/** An entry of the scan's report about which an operator has to decide. */
export interface Entry {
  kind: 'opens' | "can't tell" | 'no check';
  /** The plugin, or the package. */
  name: string;
  version: string;
  what: string;
  /** The callers that are let in, or the place of a doubt. */
  who?: string;
  /** The effect of the configuration on a policy. */
  rule?: string;
}

export function describeScan(
  { asks, doubts, name, opens, plugins, routes, version }: PackageScan,
  config?: LoadedConfig,
): Entry[] {
  const entries = [
    ...doubts.map(({ doubt, at }): Entry => ({
      ...{ kind: "can't tell", name, version, what: doubt },
      who: at && `at ${at}`,
    })),
    ...opens.map((opening): Entry => {
      const { plugin, allow, setting } = opening;
      const who = allow === 'user-cookie' ? 'users with a cookie' : 'anybody';
      const named = plugin === '?' ? name : plugin;
      return {
        ...{ kind: 'opens', name: named, version },
        what: describeRequests(opening, routes),
        who: setting ? `${who}, if ${setting}` : who,
        rule: config && describeRule(named, opening, config),
      };
    }),
  ];
  const asked = routes.filter(({ path }) => path !== '/health');
  if (!asks && asked.length > 0 && plugins.length > 0) {
    const reads = /^(GET|HEAD|WEBSOCKET)$/;
    const changing = asked.filter(({ method }) => !reads.test(method)).length;
    const computed = asked.filter(({ path }) => path === undefined).length;
    entries.push({
      ...{ kind: 'no check', version },
      name: plugins.includes('?') ? name : plugins.join(','),
      what: `${changing} of ${asked.length} routes change something${computed ? `, ${computed} with a computed path` : ''}; no check of a permission or a user in the package`,
    });
  }
  return entries;
}

/** A policy is for all methods, and for the paths below its path. The methods of a route with that path are shown. */
function describeRequests(
  opening: Opening,
  routes: PackageScan['routes'],
): string {
  const { isWebSocket, path } = opening;
  const paths = pathsOfRules(opening);
  const methods = without(map(filter(routes, { path }), 'method'), 'USE');
  return [
    ...(isWebSocket ? [WEBSOCKET] : uniq(methods).sort()),
    formatPaths({ isWebSocket, paths }),
  ].join(' ');
}

export function formatScans(scans: PackageScan[], config?: LoadedConfig) {
  const rows = scans
    .flatMap(scan => describeScan(scan, config))
    .map(({ kind, name, version, what, who = '', rule = '' }) => {
      if (kind === 'opens') {
        return [name, version, what, who, rule];
      }
      const doubt = kind === "can't tell" ? `${kind}: ` : '';
      return [name, version, `${doubt}${what} ${who}`];
    });
  // A sentence does not widen its column.
  const widths = [0, 1, 2, 3].map(i =>
    Math.max(0, ...rows.map(row => (i < row.length - 1 ? row[i].length : 0))),
  );
  return rows.map(row =>
    row
      .map((cell, i) => cell.padEnd(widths[i]))
      .join('  ')
      .trimEnd(),
  );
}

function describeRule(
  plugin: string,
  { allow, setting }: Opening,
  config: LoadedConfig,
): string {
  if (allow === 'user-cookie') {
    return '';
  }
  const { gate, isModeUnknown, root } = config;
  if (setting && !root.getOptional(setting)) {
    return 'not set here';
  }
  if (plugin === 'app' || plugin === 'auth') {
    return 'the gate leaves it open, to sign in';
  }
  const isSure = isEnforced(gate, Date.now()) && !isModeUnknown;
  return (
    seeRules(plugin, config) ||
    `no rule: the gate closes it${isSure ? '' : ' once it enforces'}`
  );
}

function seeRules(id: string, { gate }: LoadedConfig): string {
  const rules = gate.allow.flatMap(({ plugin }, i) =>
    plugin === id.toLowerCase() ? [`${CONFIG_KEY}.allow[${i}]`] : [],
  );
  return rules.length > 0 ? `see ${rules.join(', ')}` : '';
}
