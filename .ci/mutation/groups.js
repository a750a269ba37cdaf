// Groups are rooms of `src`; a large room has parts. A group has the files that are mutated together, and the tests that must
// notice: those named after the files, and `also`. No test here starts a backend: for each mutant, every test file is loaded anew.
const fs = require('node:fs');
const path = require('node:path');

const src = path.resolve(__dirname, '../../src');

/** Files that are not mutated, because only tests with a backend, or with PostgreSQL, run them. */
const WITH_BACKEND = [
  'cli/Outcome.ts',
  'cli/ask.ts',
  'cli/audit.ts',
  'cli/live.ts',
  'backstage/extensionPoint.ts',
  'backstage/uninstalledPluginAuth.ts',
  'gate/createApiGate.ts',
  'operators/reports/GateAudit.ts',
  'operators/reports/GateMetrics.ts',
  'operators/reports/GateReport.ts',
  'operators/reports/describePolicy.ts',
  'backstage/apiGateService.ts',
  'backstage/assertBackstage.ts',
  'backstage/createFront.ts',
  'backstage/createParts.ts',
  'backstage/createPolicyAnswers.ts',
  'backstage/httpAuthService.ts',
  'backstage/pluginRegistration.ts',
  'store/DatabaseConnections.ts',
];
const TESTS_WITH_BACKEND = [
  'cli/audit.test.ts',
  'operators/reports/GateMetrics.test.ts',
  // It measures a time, and a mutated file takes longer.
  'operators/page/renderPage.speed.test.ts',
  'store/DatabaseConnections.test.ts',
];

/** A moved file must not leave its group, or a list above, unnoticed. */
function assertExist(files) {
  const missing = files.filter(file => !fs.existsSync(path.join(src, file)));
  if (missing.length > 0) {
    throw new Error(
      `.ci/mutation/groups.js: src has no ${missing.join(', ')}; write the new path`,
    );
  }
}

const nameOf = file => path.basename(file).replace(/\..*$/, '');
const isTest = file => file.endsWith('.test.ts');

/**
 * Returns the groups of a room: its parts, and a group of the room's name with all its other files.
 *
 * @param parts - by the name of the group, the names of files without `.ts`
 * @param also - by the name of the group, tests of other files
 */
function room(name, { parts = {}, also = {} } = {}) {
  const files = fs
    .readdirSync(path.join(src, name))
    .map(file => `${name}/${file}`)
    .filter(file => ![...WITH_BACKEND, ...TESTS_WITH_BACKEND].includes(file));
  const inParts = Object.values(parts).flat();
  assertExist(inParts.map(each => `${name}/${each}.ts`));
  const groupOf = (group, isIn) => [
    group,
    {
      mutate: files.filter(file => !isTest(file) && isIn(nameOf(file))),
      tests: [
        ...files.filter(file => isTest(file) && isIn(nameOf(file))),
        ...(also[group] ?? []),
      ],
    },
  ];
  return Object.fromEntries([
    ...Object.entries(parts).map(([group, names]) =>
      groupOf(group, each => names.includes(each)),
    ),
    groupOf(name, each => !inParts.includes(each)),
  ]);
}

module.exports = {
  ...room('decision', { also: { decision: ['gate/createGate.test.ts'] } }),
  ...room('cookie', {
    also: {
      cookie: [
        'gate/cookie/issueCookie.test.ts',
        'gate/carryOut/answer.test.ts',
      ],
    },
  }),
  ...room('plugins'),
  ...room('credentials', {
    parts: {
      'credentials-keys': ['KeyEndpoints', 'NewcomerLimit', 'OwnIssuer'],
    },
    also: { credentials: ['gate/verify/verifyCredential.test.ts'] },
  }),
  ...room('gate', {
    parts: {
      'gate-credentials': [
        'explainFailure',
        'publicTokens',
        'signOut',
        'verifyCredential',
      ],
      'gate-upgrades': [
        'UpgradeGate',
        'UpgradeGuard',
        'createWebSocketGate',
        'decideUpgrade',
      ],
    },
    also: { 'gate-credentials': ['gate/createGate.test.ts'] },
  }),
  ...room('policy', {
    parts: {
      'policy-reports': [
        'checkExpectations',
        'comparePolicies',
        'explainRequest',
      ],
    },
    also: { 'policy-reports': ['cli/explain.test.ts'] },
  }),
  ...room('http'),
  ...room('config', {
    parts: {
      'config-rules': [
        'AllowRule',
        'readAllowRules',
        'readExpectations',
        'readExternalTokens',
        'readForeignAuthorization',
        'readTokens',
        'requirements',
      ],
    },
    also: {
      'config-rules': [
        'settings/PolicySource.test.ts',
        'settings/expectations/explainRequest.test.ts',
      ],
    },
  }),
  ...room('revocation', {
    parts: {
      'revocation-store': [
        'DatabaseRevocationStore',
        'PendingRevocations',
        'RemoteRevocationStore',
        'RevocationTable',
        'UserLocks',
        'fetchFromPlugin',
      ],
    },
    also: { revocation: ['store/revocations/PendingRevocations.test.ts'] },
  }),
  ...room('routes'),
  ...room('services'),
  ...room('util', {
    also: { util: ['store/revocations/RevocationTable.test.ts'] },
  }),
  ...room('findings'),
  ...room('observability', {
    also: { observability: ['cli/explain.test.ts'] },
  }),
  ...room('usage', {
    also: {
      usage: [
        'operators/reports/describeReportOnly.test.ts',
        'operators/reports/describeUsage.test.ts',
      ],
    },
  }),
  ...room('page'),
  ...room('cli', {
    parts: {
      'cli-config': ['loadConfig'],
      'cli-files': ['otherCheckout', 'unreadFiles'],
      'cli-init': ['init', 'proposeAllow', 'proposeSettings'],
    },
    also: {
      'cli-config': [
        'cli/check.test.ts',
        'cli/diff.test.ts',
        'cli/explain.test.ts',
        'cli/unreadFiles.test.ts',
      ],
      'cli-files': ['cli/diff.test.ts'],
    },
  }),
  ...room('legacy'),
};

assertExist([...WITH_BACKEND, ...TESTS_WITH_BACKEND]);
assertExist(Object.values(module.exports).flatMap(({ tests }) => tests));
