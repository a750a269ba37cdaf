import { readFileSync } from 'node:fs';
import path from 'node:path';
import { compact, countBy, isMatch } from 'lodash';
import { DeclaredOpening, pathsOfRules } from '../../settings/declaredOpen';
import { CliError } from '../Command';
import type { Difference } from '../Difference';
import { describeScan, Entry } from './describeScan';
import type { PackageScan } from './scanPackage';

/** Reads an earlier scan from a `.json` file, or from `opens.json` in a folder. */
export function readScans(place: string): PackageScan[] {
  const isFile = place.endsWith('.json');
  const file = isFile ? place : path.join(place, 'opens.json');
  try {
    const { packages } = JSON.parse(readFileSync(file, 'utf8'));
    // Read the scan once as later steps do, so that a file of another shape fails here.
    compareScans(packages, []);
    const none = { plugin: '', paths: [], isWebSocket: false };
    findUnscanned(packages, [{ ...none, allow: 'unauthenticated' }]);
    return packages;
  } catch {
    throw new CliError(
      `${file} is no output of api-gate scan --json: make it with that command`,
    );
  }
}

/** Compares two scans. Versions, and the places of what can't be told, make no difference. */
export function compareScans(before: PackageScan[], after: PackageScan[]) {
  return [...findNew('+', before, after), ...findNew('-', after, before)];
}

function findNew(
  sign: Difference['sign'],
  before: PackageScan[],
  after: PackageScan[],
): Difference[] {
  const keyOf = ({ kind, name, what, who }: Entry) =>
    `${kind}\n${name}\n${kind !== 'no check' && what}\n${kind === 'opens' && who}`;
  const [old, now] = [before, after].map(scans =>
    scans.flatMap(scan => describeScan(scan)),
  );
  const left = countBy(old, keyOf);
  return now.flatMap(entry => {
    const { kind, name, version, what, who } = entry;
    const key = keyOf(entry);
    left[key] = (left[key] ?? 0) - 1;
    const to = kind === 'opens' ? `to ${who}` : who;
    const text = compact([`${name} ${version}`, what, to]).join('  ');
    return left[key] < 0 ? [{ sign, kind, text }] : [];
  });
}

/** Finds what plugins have declared in a running backend, and a scan of their packages neither names nor doubts. */
export function findUnscanned(
  scans: PackageScan[],
  declared: readonly DeclaredOpening[],
): DeclaredOpening[] {
  return declared.filter(({ plugin, ...policy }) => {
    const isOf = (id: string) => id === '?' || id.toLowerCase() === plugin;
    return !scans.some(
      ({ plugins, doubts, opens }) =>
        (doubts.length > 0 && (plugins.length === 0 || plugins.some(isOf))) ||
        opens.some(
          each =>
            isOf(each.plugin) &&
            isMatch({ ...each, paths: pathsOfRules(each) }, policy),
        ),
    );
  });
}
