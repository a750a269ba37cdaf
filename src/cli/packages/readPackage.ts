import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { InstalledPackage } from './findInstalled';
import { mayDeclare, Opening, PolicyReader } from './PolicyReader';

/** The largest file that is parsed. Whole plugins have about 0.1 MB, and the catalog 1 MB. */
const MAX_BYTES = 10 * 1024 ** 2;

/** The policies that a package declares in code. */
export interface PackageOpenings {
  name: string;
  /** The id of the plugin that the package creates, or creates a module for; `undefined` if it can't be told. */
  plugin: string | undefined;
  opens: Opening[];
  /** Why it may open more. */
  doubts: string[];
}

/** Reads what an installed package declares open. Whatever of it can't be read is a doubt. */
export function readPackage(installed: InstalledPackage): PackageOpenings {
  const { folder, name, problem } = installed;
  const reader = new PolicyReader();
  const doubts = new Set(problem ? [problem] : []);
  for (const file of problem ? [] : listFiles(folder)) {
    readFile(file, reader, doubts);
  }
  const [only, ...others] = reader.plugins;
  const plugin = others.length > 0 ? undefined : only || undefined;
  return {
    name,
    plugin,
    // A policy without a plugin belongs to the package's only plugin.
    opens: reader.opens.map(each => ({
      ...each,
      plugin: each.plugin ?? plugin,
    })),
    doubts: [...doubts, ...reader.doubts],
  };
}

function readFile(file: string, reader: PolicyReader, doubts: Set<string>) {
  try {
    const text = readFileSync(file, 'utf8');
    if (!mayDeclare(text)) {
      return;
    }
    if (statSync(file).size > MAX_BYTES) {
      doubts.add('more than 10 MB of JavaScript in one file');
      return;
    }
    reader.read(text);
  } catch {
    // A link that leads nowhere, or no JavaScript.
    doubts.add('a file that can not be parsed');
  }
}

/** Lists the JavaScript of a package, without the packages that are installed in it. */
function listFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) {
      return entry.name === 'node_modules' ? [] : listFiles(file);
    }
    return /\.[cm]?js$/.test(entry.name) ? [file] : [];
  });
}
