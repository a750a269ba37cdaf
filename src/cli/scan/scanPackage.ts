import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { pick, sum, uniq } from 'lodash';
import { CliError, firstLineOf } from '../Command';
import type { Package } from './findPackages';
import { FactsReader } from './FactsReader';

/** The most JavaScript of a package that is read. Plugins have about 0.1 MB, and the catalog 1 MB. */
const MAX_MB = 10;

export interface PackageScan extends Omit<FactsReader, 'read' | 'uses'> {
  name: string;
  version: string;
  /** Whether the package asks who the caller is, or what the caller may do. */
  asks: boolean;
}

/** The services that say who the caller is, or what the caller may do, each with a method. */
const ASKED = [
  ['httpAuth', 'credentials'],
  ['auth', 'isPrincipal'],
  ['permissions', 'authorize'],
  ['permissions', 'authorizeConditional'],
];

/** Scans a package. Whatever of it can't be read is a doubt. */
export function scanPackage(scanned: Package): PackageScan {
  const facts = new FactsReader();
  const { doubts, routes, uses } = facts;
  try {
    readFiles(scanned, facts);
  } catch (error) {
    doubts.push({ doubt: firstLineOf(error) });
  }
  if (uses.has('rootHttpRouter')) {
    doubts.push({ doubt: 'routes outside of /api, where no gate is' });
  }
  const plugins = uniq(facts.plugins);
  const plugin = plugins.length === 1 ? plugins[0] : '?';
  return {
    ...pick(scanned, 'name', 'version'),
    plugins,
    doubts,
    // A policy without a plugin belongs to the package's only plugin.
    opens: facts.opens.map(each =>
      each.plugin === '?' ? { ...each, plugin } : each,
    ),
    routes,
    asks: ASKED.some(names => names.every(each => uses.has(each))),
  };
}

function readFiles(scanned: Package, facts: FactsReader): void {
  const { folder, isSource, name, problem, role } = scanned;
  const src = path.join(folder, 'src');
  const build = `yarn workspace ${name} build`;
  const addDoubt = (doubt: string, file?: string, line?: number) => {
    const place = file && path.relative(folder, file);
    facts.doubts.push({ doubt, at: line ? `${place}:${line}` : place });
  };
  if (problem) {
    throw new CliError(problem);
  }
  if (role === 'backend') {
    // Its build is an archive, and few backends have a router of their own.
    for (const file of listFiles(src, /(?<!\.test)\.[cm]?[jt]sx?$/)) {
      if (/httpRouter|addAuthPolicy/i.test(readFileSync(file, 'utf8'))) {
        addDoubt('a router in the backend itself', file);
      }
    }
    return;
  }
  const dist = isSource ? path.join(folder, 'dist') : folder;
  const files = listFiles(dist, /\.[cm]?js$/);
  if (files.length === 0) {
    throw new CliError(isSource ? `not built: ${build}` : 'no JavaScript');
  }
  if (sum(files.map(file => statSync(file).size)) > MAX_MB * 1024 ** 2) {
    throw new CliError(`more than ${MAX_MB} MB of JavaScript`);
  }
  if (isSource && newest(listFiles(src, /\.tsx?$/)) > newest(files)) {
    addDoubt(`dist is older than src: ${build}`);
  }
  for (const file of files) {
    try {
      const text = readFileSync(file, 'utf8');
      facts.read(path.relative(folder, file), text);
    } catch (error) {
      const { loc } = error as { loc?: { line: number } };
      addDoubt('no JavaScript that can be parsed', file, loc?.line);
    }
  }
}

function newest(files: string[]): number {
  return Math.max(...files.map(file => statSync(file).mtimeMs));
}

/** Lists the files of a package, without the packages that are installed in it. */
function listFiles(
  folder: string,
  names: RegExp,
  leftOut = path.join(folder, 'node_modules'),
): string[] {
  if (!existsSync(folder) || folder === leftOut) {
    return [];
  }
  return readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) {
      return listFiles(file, names, leftOut);
    }
    // A link to a folder can't be read, and is a doubt.
    return names.test(entry.name) || entry.isSymbolicLink() ? [file] : [];
  });
}
