import { sortBy, uniqBy } from 'lodash';
import { CliError, Command, readChoice } from '../Command';
import { formatDifference } from '../Difference';
import { loadConfig } from '../loadConfig';
import { showProgress } from '../output';
import { compareScans, readScans } from './compareScans';
import { findPackages } from './findPackages';
import { formatScans } from './describeScan';
import { PackageScan, scanPackage } from './scanPackage';

export const scan: Command = {
  help: `api-gate scan [FOLDER]...

Reads the installed JavaScript of plugins, executes none of it, and prints what they open in code, and which plugins
never ask who the caller is. "can't tell" names what may open more. FOLDER is that of a backend, whose dependencies
are read, or of a plugin; default: the working directory.

  --config FILE     as for the backend, in its order: adds which rules of auth.apiGate name these plugins
  --mock-env        uses a made-up value for each variable that is not set and has no default
  --json            prints all routes too, as JSON
  --against PATH    an earlier output of --json, or a folder with it as opens.json: prints what has changed
  --fail-on opens   with --against, exits with 1 for more that is open, or that can't be told

Exit code: 0; 1 for what --fail-on names; 2 if a folder has no package, or a file of an option can not be read.`,
  hasArguments: true,
  async run(options, output, folders) {
    const failOn = readChoice(options, 'fail-on', ['opens']);
    const { against = [] } = options;
    if (against.length > 1 || (failOn && against.length === 0)) {
      throw new CliError('Give --against once, and --fail-on only with it');
    }
    const [before] = against.map(readScans);
    const scans = scanAll(folders.length > 0 ? folders : ['.']);
    output.error(`Read ${scans.length} packages`);
    output.add({ packages: scans });
    if (!before) {
      const config = options.config && (await loadConfig(options, output));
      output.out(...formatScans(scans, config));
      return 0;
    }
    const differences = compareScans(before, scans);
    output.add({ differences });
    output.out(
      ...differences.map(formatDifference),
      differences.length === 0 && 'No difference in what is open',
    );
    return failOn && differences.some(({ sign }) => sign === '+') ? 1 : 0;
  },
};

function scanAll(folders: string[]): PackageScan[] {
  const found = folders.flatMap(folder => findPackages(folder));
  const packages = sortBy(uniqBy(found, 'folder'), 'name');
  const scans = packages.map((each, i) => {
    showProgress(`${packages.length - i} packages left`);
    return scanPackage(each);
  });
  showProgress('');
  return scans;
}
