// Runs API Extractor on the declarations that `tsc` has written: `node .ci/apiReport/extract.js [--local]`.
const fs = require('node:fs');
const path = require('node:path');
const { Extractor, ExtractorConfig } = require('@microsoft/api-extractor');

const root = path.resolve(__dirname, '../..');
const isLocal = process.argv.includes('--local');

/** The entry points of the package, and their reports. */
const REPORTS = {
  'src/index.d.ts': 'report.api.md',
  'src/cli/index.d.ts': 'report-cli.api.md',
  'src/backstage/legacy/index.d.ts': 'report-legacy.api.md',
};

function extract(entryPoint, report) {
  const config = ExtractorConfig.prepare({
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: path.join(root, 'dist-types', entryPoint),
      newlineKind: 'lf',
      apiReport: {
        enabled: true,
        reportFileName: report.replace(/\.api\.md$/, ''),
        reportFolder: root,
        reportTempFolder: path.join(__dirname, 'temp'),
      },
      compiler: { tsconfigFilePath: path.join(root, 'tsconfig.json') },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        extractorMessageReporting: {
          default: { logLevel: 'warning', addToApiReportFile: true },
          // Backstage turns these off too.
          'ae-missing-release-tag': { logLevel: 'none' },
          'ae-undocumented': { logLevel: 'none' },
        },
        tsdocMessageReporting: { default: { logLevel: 'none' } },
      },
    },
    configObjectFullPath: path.join(root, 'package.json'),
    packageJsonFullPath: path.join(root, 'package.json'),
  });
  const { apiReportChanged, errorCount } = Extractor.invoke(config, {
    localBuild: isLocal,
    showVerboseMessages: false,
    messageCallback: message => {
      // Its own TypeScript is newer than the one that wrote the declarations.
      if (message.messageId === 'console-compiler-version-notice') {
        message.handled = true;
      }
    },
  });
  return errorCount === 0 && (isLocal || !apiReportChanged);
}

fs.mkdirSync(path.join(__dirname, 'temp'), { recursive: true });
const results = Object.entries(REPORTS).map(([entryPoint, report]) => {
  const isEqual = extract(entryPoint, report);
  console.log(
    `${report} ${isEqual ? 'is up to date' : 'has changed: run .ci/apiReport/run --local'}`,
  );
  return isEqual;
});
process.exitCode = results.every(Boolean) ? 0 : 1;
