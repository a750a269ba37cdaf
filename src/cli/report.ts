import { writeFileSync } from 'node:fs';
import { buildReport } from './buildReport';
import { CliError, Command } from './Command';
import { loadConfig } from './loadConfig';

export const report: Command = {
  help: `api-gate report [--config FILE]... [--packages FOLDER]... [--out FILE]

Writes what is open and who may do what, as a file for the repository, so that a pull request shows what it opens.
The same files give the same bytes on each machine: the command reads no variable of the environment.

  --config FILE       as for the backend, in its order; default: app-config.yaml
  --packages FOLDER   adds what the packages declare open that are installed for the backend in this folder
  --out FILE          the file to write, such as api-gate.report.md; default: standard output

Exit code: 0; 2 if the backend would not start with these files, or if one can not be read.`,
  async run(options, output) {
    const loaded = await loadConfig(options, output);
    output.error(loaded.missing);
    const text = buildReport(loaded, options);
    if (options.out === undefined) {
      output.out(...text.trimEnd().split('\n'));
      return 0;
    }
    try {
      writeFileSync(options.out, text);
    } catch {
      throw new CliError(`${options.out} can not be written: check --out`);
    }
    return 0;
  },
};
