import { existsSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { asObject } from '../../settings/read/values';
import { CliError } from '../Command';
import { findRoot, foldersFrom, isInside } from '../otherCheckout';

/** A package that a backend may have plugins, modules or their helpers from. */
export type Package = ReturnType<typeof createPackage>;

// The framework, which declares nothing by itself, and this package.
const LEFT_OUT =
  /^(@backstage\/backend-.*|backstage-plugin-auth-backend-module-api-gate)$/;

const HOW =
  'run this in packages/backend, or give the folder of a backend or a plugin';

/** Finds a package, and what it depends on that may use Backstage's backend, itself or through another package, as it is installed. */
export function findPackages(folder: string): Package[] {
  if (!existsSync(path.join(folder, 'package.json'))) {
    throw new CliError(`${folder} has no package.json: ${HOW}`);
  }
  const own = readPackage(folder, realpathSync(folder));
  const root = findRoot(own.folder);
  const found = new Map([[own.folder, own]]);
  // The loop comes to the packages that it adds.
  for (const from of found.values()) {
    for (const name of from.dependencies.filter(each => !LEFT_OUT.test(each))) {
      const each = readInstalled(name, from.folder, root);
      // A plugin may go without an optional package.
      if (!each && from === own && !/plugin|library/.test(own.role)) {
        found.set(name, createPackage(name, name, 'not installed'));
      } else if (each && isOfBackend(each) && !found.has(each.folder)) {
        found.set(each.folder, each);
      }
    }
  }
  if (found.size === 1 && own.role !== 'backend' && !isOfBackend(own)) {
    throw new CliError(`${folder} is no backend and no plugin: ${HOW}`);
  }
  return [...found.values()];
}

function isOfBackend({ dependencies, problem, role }: Package): boolean {
  return (
    /^(backend-plugin|node-library)/.test(role) ||
    dependencies.includes('@backstage/backend-plugin-api') ||
    problem !== undefined
  );
}

/** Reads a package as it is installed for another one; `undefined` if it is not installed. */
function readInstalled(name: string, from: string, root: string) {
  const modules = foldersFrom(from)
    .map(each => path.join(each, 'node_modules'))
    .find(each => existsSync(path.join(each, name, 'package.json')));
  if (!modules) {
    return undefined;
  }
  const folder = realpathSync(path.join(modules, name));
  return [root, realpathSync(modules)].some(each => isInside(each, folder))
    ? readPackage(name, folder)
    : createPackage(name, folder, `a link out of the repository, to ${folder}`);
}

function readPackage(name: string, folder: string): Package {
  try {
    const text = readFileSync(path.join(folder, 'package.json'), 'utf8');
    return createPackage(name, folder, undefined, JSON.parse(text));
  } catch {
    return createPackage(name, folder, 'no valid package.json');
  }
}

function createPackage(
  name: string,
  folder: string,
  problem?: string,
  manifest?: unknown,
) {
  const { main, exports, ...others } = asObject(manifest);
  const isInstalled = folder.includes(`${path.sep}node_modules${path.sep}`);
  const entries = JSON.stringify([main, exports]);
  return {
    folder,
    problem,
    name: String(others.name ?? name),
    version: String(others.version ?? ''),
    /** Backstage's role of the package, such as `backend-plugin`. */
    role: String(asObject(others.backstage).role ?? ''),
    dependencies: Object.keys({
      ...asObject(others.dependencies),
      ...asObject(others.optionalDependencies),
      ...asObject(others.peerDependencies),
    }),
    /** Whether its main file is TypeScript, which is built into `dist`. */
    isSource: !isInstalled && /(?<!\.d)\.tsx?"/.test(entries),
  };
}
