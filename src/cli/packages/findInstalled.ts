import { existsSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { asObject } from '../../settings/read/values';
import { CliError } from '../Command';

/** A package that is installed for a backend, itself or for another package. */
export interface InstalledPackage {
  name: string;
  folder: string;
  /** Why it can't be read. */
  problem?: string;
}

// The framework, which declares nothing by itself, and this package.
const LEFT_OUT =
  /^(@backstage\/backend-.*|backstage-plugin-auth-backend-module-api-gate)$/;

/**
 * Finds all packages that are installed for a backend, but none of its repository: a pull request shows these as they are, and their
 * builds may be missing or old.
 *
 * @throws CliError if the folder is not that of a package
 */
export function findInstalled(folder: string): InstalledPackage[] {
  if (!existsSync(path.join(folder, 'package.json'))) {
    throw new CliError(
      `--packages ${folder} has no package.json: give the folder of a backend, such as packages/backend`,
    );
  }
  const start = realpathSync(folder);
  const found = new Map<string, InstalledPackage>();
  const from = new Set([start]);
  // The loop comes to the folders that it adds.
  for (const each of from) {
    const { dependencies, problem } = readManifest(each);
    for (const name of problem ? [] : dependencies) {
      const installed = LEFT_OUT.test(name) ? undefined : locate(name, each);
      if (installed) {
        from.add(installed);
      }
      if (installed && isInstalled(installed)) {
        found.set(installed, { name, folder: installed });
      } else if (!installed && each === start && !LEFT_OUT.test(name)) {
        found.set(name, { name, folder: name, problem: 'not installed' });
      }
    }
    if (problem && found.has(each)) {
      found.set(each, { ...found.get(each)!, problem });
    }
  }
  return [...found.values()];
}

/** Returns the folder of a package as it is installed for another one; `undefined` if it is not installed. */
function locate(name: string, from: string): string | undefined {
  const candidate = path.join(from, 'node_modules', name);
  if (existsSync(path.join(candidate, 'package.json'))) {
    return realpathSync(candidate);
  }
  const above = path.dirname(from);
  return above === from ? undefined : locate(name, above);
}

/** Returns whether a folder, without links, is one of installed packages. Links lead to the packages of a repository. */
function isInstalled(folder: string): boolean {
  return folder.split(path.sep).includes('node_modules');
}

function readManifest(folder: string) {
  try {
    const text = readFileSync(path.join(folder, 'package.json'), 'utf8');
    const manifest = asObject(JSON.parse(text));
    return {
      dependencies: Object.keys({
        ...asObject(manifest.dependencies),
        ...asObject(manifest.optionalDependencies),
        ...asObject(manifest.peerDependencies),
      }),
    };
  } catch {
    return { dependencies: [], problem: 'no valid package.json' };
  }
}
