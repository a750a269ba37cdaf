import { ANY_SEGMENT } from '../../gate/rules/AllowRule';
import type { Fact } from '../../operators/facts/Fact';
import type { ApiGateConfig } from '../../settings/read/readApiGateConfig';
import { overlap } from '../../settings/read/readForeignAuthorization';
import { findInstalled } from './findInstalled';
import type { Opening } from './PolicyReader';
import { readPackage } from './readPackage';

/** Stands for a plugin that can't be told. */
const UNKNOWN = '?';

/** Lists what the packages that are installed for a backend declare open in code, or may open where their code can't be read. */
export function findPackageFacts(folder: string, gate: ApiGateConfig): Fact[] {
  return findInstalled(folder).flatMap(installed => {
    const { doubts, name, opens, plugin = UNKNOWN } = readPackage(installed);
    return [
      ...doubts.map(note => ({
        ...{ kind: plugin, what: name, who: "can't tell" },
        note,
      })),
      ...opens.map(opening => describe(name, opening, gate)),
    ];
  });
}

function describe(
  name: string,
  { allow, isWebSocket, path: declared, plugin = UNKNOWN, setting }: Opening,
  gate: ApiGateConfig,
): Fact {
  const isAll = declared === '/' || declared === '*';
  const below = isAll ? '/**' : `${declared}/**`;
  const who = allow === 'user-cookie' ? "Backstage's own cookie" : 'anybody';
  return {
    kind: plugin,
    what: `${name}  ${isWebSocket ? `WEBSOCKET ${declared}` : below}`,
    who: setting ? `${who}, if ${setting}` : who,
    note:
      allow === 'user-cookie'
        ? undefined
        : describeGate(plugin, isWebSocket ? declared : below, gate),
  };
}

/** Says what the gate makes of what a plugin has opened. */
function describeGate(plugin: string, declared: string, gate: ApiGateConfig) {
  if (plugin === 'auth' || plugin === 'app') {
    return 'always public';
  }
  // A parameter stands for one segment.
  const covered = {
    plugin: plugin.toLowerCase(),
    path: declared.replace(/:[\w$]+/g, ANY_SEGMENT),
  };
  return plugin === UNKNOWN || gate.allow.some(rule => overlap(covered, rule))
    ? 'see public'
    : `closed by the gate${gate.mode === 'enforce' ? '' : ' once it enforces'}`;
}
