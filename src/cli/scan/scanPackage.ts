import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { isEqual, sum, uniq, uniqWith } from 'lodash';
import { firstLineOf } from '../Command';
import type { Package } from './findPackages';
import { Facts, Opening, readFacts } from './readFacts';

/** The most JavaScript of a package that is read. Plugins have about 0.1 MB, and the catalog 1 MB. */
const MAX_MB = 10;

/** What a scan has found in one package. */
export interface PackageScan extends Omit<Facts, 'uses'> {
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
export function scanPackage({
  name,
  version,
  ...scanned
}: Package): PackageScan {
  const facts: Facts = { plugins: [], opens: [], routes: [], uses: new Set() };
  try {
    for (const doubt of readFiles({ name, version, ...scanned }, facts)) {
      facts.opens.push(doubt);
    }
  } catch (error) {
    facts.opens.push({ doubt: firstLineOf(error) });
  }
  if (facts.uses.has('rootHttpRouter')) {
    facts.opens.push({ doubt: 'routes outside of /api, where no gate is' });
  }
  const plugins = uniq(facts.plugins);
  const plugin = plugins.length === 1 ? plugins[0] : '?';
  const opens = facts.opens.map(each =>
    each.path ? { ...each, plugin: each.plugin ?? plugin } : each,
  );
  return {
    ...{ name, version, plugins, routes: facts.routes },
    opens: uniqWith(opens, isEqual),
    asks: ASKED.some(names => names.every(each => facts.uses.has(each))),
  };
}

/** Reads the files of a package, and yields why a part of it can't be told. */
function* readFiles(scanned: Package, facts: Facts): Generator<Opening> {
  const { folder, isSource, name, problem, role } = scanned;
  const placeOf = (file: string) => path.relative(folder, file);
  const src = path.join(folder, 'src');
  const dist = isSource ? path.join(folder, 'dist') : folder;
  const build = `yarn workspace ${name} build`;
  if (problem) {
    yield { doubt: problem };
    return;
  }
  if (role === 'backend') {
    // Its build is an archive, and few backends have a router of their own.
    for (const file of listFiles(src, /(?<!\.test)\.[cm]?[jt]sx?$/)) {
      if (/httpRouter|addAuthPolicy/i.test(readFileSync(file, 'utf8'))) {
        yield { doubt: 'a router in the backend itself', file: placeOf(file) };
      }
    }
    return;
  }
  const files = listFiles(dist, /\.[cm]?js$/);
  if (files.length === 0) {
    yield { doubt: isSource ? `not built: ${build}` : 'no JavaScript' };
  } else if (sum(files.map(file => statSync(file).size)) > MAX_MB * 1024 ** 2) {
    yield { doubt: `more than ${MAX_MB} MB of JavaScript` };
    return;
  } else if (isSource && newest(listFiles(src, /\.tsx?$/)) > newest(files)) {
    yield { doubt: `dist is older than src: ${build}` };
  }
  for (const file of files) {
    try {
      readFacts(placeOf(file), readFileSync(file, 'utf8'), facts);
    } catch (error) {
      const line = (error as { loc?: { line: number } }).loc?.line;
      const doubt = 'no JavaScript that can be parsed';
      yield { doubt, file: placeOf(file), line };
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
