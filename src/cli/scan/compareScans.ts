import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { compact, countBy } from 'lodash';
import { CliError } from '../Command';
import { describeScan, Entry } from './describeScan';
import type { PackageScan } from './scanPackage';

/**
 * Reads an earlier scan from a file, or from `opens.json` in a folder.
 *
 * @throws CliError unless it is the output of `api-gate scan --json`
 */
export function readScans(place: string): PackageScan[] {
  const isFolder = existsSync(place) && statSync(place).isDirectory();
  const file = isFolder ? path.join(place, 'opens.json') : place;
  try {
    const { packages } = JSON.parse(readFileSync(file, 'utf8'));
    packages.forEach(describeScan);
    return packages;
  } catch {
    throw new CliError(
      `${file} is no output of api-gate scan --json: make it in the other checkout`,
    );
  }
}

/** Compares two scans. A line with `+` is one that opens more. Versions, and the places of what can't be told, make no difference. */
export function compareScans(
  before: PackageScan[],
  after: PackageScan[],
): string[] {
  return [
    ...findNew(before, after).map(line => `+ ${line}`),
    ...findNew(after, before).map(line => `- ${line}`),
  ];
}

function findNew(before: PackageScan[], after: PackageScan[]): string[] {
  const keyOf = ({ kind, name, what, who }: Entry) =>
    JSON.stringify([
      ...[kind, name],
      ...(kind === 'no check' ? [] : [what]),
      ...(kind === 'opens' ? [who] : []),
    ]);
  const left = countBy(before.flatMap(describeScan), keyOf);
  return after.flatMap(describeScan).flatMap(entry => {
    const { kind, name, version, what, who } = entry;
    const key = keyOf(entry);
    left[key] = (left[key] ?? 0) - 1;
    const to = kind === 'opens' ? `to ${who}` : who;
    return left[key] < 0
      ? [compact([kind, `${name} ${version}`, what, to]).join('  ')]
      : [];
  });
}
