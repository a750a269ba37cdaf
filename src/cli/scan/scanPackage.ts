import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { omit, sumBy, uniq, uniqBy } from 'lodash';
import type { Package } from './findPackages';
import { Facts, Opening, readFacts, Route } from './readFacts';

/** The most JavaScript of a package that is read. Plugins have about 0.1 MB, and the catalog 1 MB. */
const MAX_MB = 10;

/** What a scan has found in one package. */
export interface PackageScan extends Omit<Facts, 'uses'> {
  name: string;
  version?: string;
  /** Whether the package asks who the caller is, or what the caller may do. */
  asks: boolean;
}

/** The services and their methods that say who the caller is, or what the caller may do. */
const ASKED = [
  ['httpAuth', 'credentials'],
  ['auth', 'isPrincipal'],
  ['permissions', 'authorize'],
  ['permissions', 'authorizeConditional'],
];

/** Scans a package. Whatever can't be read of it is a doubt. */
export function scanPackage(scanned: Package): PackageScan {
  const { name, version } = scanned;
  const facts: Facts = { plugins: [], opens: [], routes: [], uses: new Set() };
  for (const doubt of readFiles(scanned, facts)) {
    facts.opens.push(doubt);
  }
  if (facts.uses.has('rootHttpRouter')) {
    facts.opens.push({ doubt: 'routes outside of /api, where no gate is' });
  }
  const plugins = uniq(facts.plugins);
  const plugin = plugins.length === 1 ? plugins[0] : '?';
  return {
    ...{ name, version, plugins },
    opens: withoutCopies(
      facts.opens.map(each =>
        each.path ? { ...each, plugin: each.plugin ?? plugin } : each,
      ),
    ),
    routes: withoutCopies(facts.routes),
    asks: ASKED.some(names => names.every(each => facts.uses.has(each))),
  };
}

/** Removes what a package has twice, such as in CommonJS and as a module. */
function withoutCopies<T extends Opening | Route>(found: T[]): T[] {
  return uniqBy(found, each =>
    JSON.stringify(each.path ? omit(each, 'file', 'line') : each),
  );
}

/** Reads the files of a package, and yields why one of them can't be read. */
function* readFiles(scanned: Package, facts: Facts): Generator<Opening> {
  const { folder, isSource, name, problem, role } = scanned;
  if (problem) {
    yield { doubt: problem };
    return;
  }
  const files = listFiles(
    isSource ? path.join(folder, 'dist') : folder,
    /\.[cm]?js$/,
  );
  const sources = isSource
    ? listFiles(path.join(folder, 'src'), /(?<!\.test)\.tsx?$/)
    : [];
  const build = `yarn workspace ${name} build`;
  const placeOf = (file: string) => path.relative(folder, file);
  if (role === 'backend') {
    // Its build is an archive. It seldom has a router of its own.
    for (const source of sources) {
      if (/httpRouter|addAuthPolicy/i.test(readFileSync(source, 'utf8'))) {
        yield { doubt: 'TypeScript with a router', file: placeOf(source) };
      }
    }
  } else if (files.length === 0) {
    yield { doubt: isSource ? `not built: ${build}` : 'no JavaScript' };
  } else if (sumBy(files, sizeOf) > MAX_MB * 1024 ** 2) {
    yield { doubt: `more than ${MAX_MB} MB of JavaScript` };
  } else {
    if (newest(sources) > newest(files)) {
      yield { doubt: `dist is older than src: ${build}` };
    }
    for (const file of files) {
      try {
        readFacts(placeOf(file), readFileSync(file, 'utf8'), facts);
      } catch (error) {
        const { loc } = error as { loc?: { line: number } };
        const place = { file: placeOf(file), line: loc?.line };
        yield { doubt: 'no JavaScript that can be parsed', ...place };
      }
    }
  }
}

const sizeOf = (file: string) => statSync(file).size;

const newest = (files: string[]) =>
  Math.max(0, ...files.map(file => statSync(file).mtimeMs));

/** Lists the files of a package, without the packages in it. */
function listFiles(folder: string, names: RegExp): string[] {
  const entries = existsSync(folder)
    ? readdirSync(folder, { withFileTypes: true })
    : [];
  return entries.flatMap(entry => {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory() && entry.name !== 'node_modules') {
      return listFiles(file, names);
    }
    return names.test(entry.name) ? [file] : [];
  });
}
