// Groups are folders of `src`; a large folder has parts. A group has the files that are mutated together, and the tests that must
// notice: those named after the files, and `also`. No test here starts a backend: for each mutant, every test file is loaded anew.
const fs = require('node:fs');
const path = require('node:path');

const src = path.resolve(__dirname, '../../src');

/** Files that are not mutated, because only tests with a backend, or with PostgreSQL, run them. */
const WITH_BACKEND = [
  'cli/Outcome.ts',
  'cli/audit.ts',
  'cli/live.ts',
  'backstage/uninstalledPluginAuth.ts',
  'gate/createApiGate.ts',
  'operators/reports/GateAudit.ts',
  'operators/reports/GateMetrics.ts',
  'operators/reports/GateReport.ts',
  'operators/reports/describePolicy.ts',
  'backstage/apiGate.ts',
  'backstage/apiGateService.ts',
  'backstage/createFront.ts',
  'backstage/createParts.ts',
  'backstage/createSharedReport.ts',
  'backstage/httpAuthService.ts',
  'backstage/module.ts',
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
const proofOf = name => `__tests__/proof/${name}.test.ts`;
const isTest = file => file.endsWith('.test.ts');

/**
 * Returns the groups of a folder: its parts, and a group of the folder's name with all its other files.
 *
 * @param parts - by the name of the group, the names of files without `.ts`
 * @param also - by the name of the group, tests of other files
 */
function folder(name, { parts = {}, also = {} } = {}) {
  const files = fs
    .readdirSync(path.join(src, name))
    .filter(file => file.endsWith('.ts'))
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
    groupOf(name.replaceAll('/', '-'), each => !inParts.includes(each)),
  ]);
}

/** The tests of the proof that meet only the mutants that the others leave, in this order. */
const SLOW = ['decision', 'targets'];

/**
 * The files that read and decide, with the tests of `src/__tests__/proof` alone. Other groups have the same files, with their own tests. What
 * lives here changes nothing of what the tables of docs/decision-table.md enumerate. The theorems are about the reference, not about the gate.
 */
function proof(parts) {
  const files = fs
    .readdirSync(path.join(src, '__tests__/proof'))
    .map(file => `__tests__/proof/${file}`);
  const rankOf = file => SLOW.indexOf(nameOf(file));
  const tests = files
    .filter(file => isTest(file) && nameOf(file) !== 'theorems')
    .sort((a, b) => rankOf(a) - rankOf(b));
  const helpers = files.filter(file => !isTest(file));
  return Object.fromEntries(
    Object.entries(parts).map(([group, names]) => {
      const mutate = names.map(name => `gate/${name}.ts`);
      assertExist(mutate);
      return [group, { mutate, tests, helpers, leastScore: 80 }];
    }),
  );
}

module.exports = {
  ...folder('gate', {
    also: { gate: ['backstage/httpRouterService.test.ts'] },
  }),
  ...folder('gate/read', {
    also: {
      'gate-read': ['answers', 'headers', 'decision'].map(proofOf),
    },
  }),
  ...folder('gate/verify', {
    parts: {
      'gate-verify-keys': [
        'KeyEndpoints',
        'NewcomerLimit',
        'OwnIssuer',
        'fetchKeyIds',
      ],
      'gate-verify-credentials': [
        'explainFailure',
        'steps',
        'verifyToken',
        'verifyTokens',
      ],
    },
    also: {
      'gate-verify-credentials': [
        'gate/createGate.test.ts',
        ...['verifiers', 'decision'].map(proofOf),
      ],
      'gate-verify': [proofOf('orders'), 'gate/verify/verifyToken.test.ts'],
    },
  }),
  ...folder('gate/judge', {
    also: {
      'gate-judge': [
        'gate/createGate.test.ts',
        proofOf('decision'),
        'gate/upgrades/UpgradeGate.test.ts',
        'gate/verify/verifyTokens.test.ts',
      ],
    },
  }),
  ...folder('gate/plugins'),
  ...folder('gate/rules', {
    also: {
      'gate-rules': [
        'settings/PolicySource.test.ts',
        'settings/expectations/explainRequest.test.ts',
        'settings/read/readAllowRules.test.ts',
        proofOf('routes'),
      ],
    },
  }),
  ...folder('gate/carryOut', {
    also: { 'gate-carryOut': ['gate/createGate.test.ts'] },
  }),
  ...folder('gate/cookie', {
    also: { 'gate-cookie': ['gate/carryOut/answer.test.ts'] },
  }),
  ...folder('gate/sessions', {
    also: {
      'gate-sessions': [
        'gate/createGate.test.ts',
        'store/revocations/PendingRevocations.test.ts',
        'store/revocations/Revocations.test.ts',
      ],
    },
  }),
  ...folder('gate/upgrades'),
  ...folder('gate/util', {
    also: { 'gate-util': ['store/revocations/RevocationTable.test.ts'] },
  }),
  ...folder('settings'),
  ...folder('settings/read', {
    parts: {
      'settings-read-rules': [
        'readAllowRules',
        'readExpectations',
        'readExternalTokens',
        'readForeignAuthorization',
        'readTokens',
        'requirements',
      ],
    },
    also: {
      'settings-read-rules': [
        'settings/PolicySource.test.ts',
        'settings/expectations/explainRequest.test.ts',
      ],
    },
  }),
  ...folder('settings/files'),
  ...folder('settings/expectations', {
    also: { 'settings-expectations': ['cli/explain.test.ts'] },
  }),
  ...folder('store', {
    also: { store: ['store/revocations/RevocationTable.test.ts'] },
  }),
  ...folder('store/revocations', {
    parts: {
      'store-revocations-table': [
        'DatabaseRevocationStore',
        'PendingRevocations',
        'RemoteRevocationStore',
        'RevocationTable',
        'UserLocks',
        'fetchFromPlugin',
      ],
    },
  }),
  ...folder('store/usage', {
    also: {
      'store-usage': [
        'operators/reports/describeReportOnly.test.ts',
        'operators/reports/describeUsage.test.ts',
      ],
    },
  }),
  ...folder('operators'),
  ...folder('operators/findings'),
  ...folder('operators/reports', {
    also: { 'operators-reports': ['cli/explain.test.ts'] },
  }),
  ...folder('operators/page'),
  ...folder('operators/routes'),
  ...folder('backstage'),
  ...folder('backstage/legacy'),
  ...folder('cli', {
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
  ...proof({
    'proof-decide': ['decide', 'judge/findRefused', 'judge/judge'],
    'proof-read': [
      'read/GateRequest',
      'read/findUserTokens',
      'read/readCredential',
      'read/readTokens',
    ],
    'proof-read-text': [
      'read/browsers',
      'read/cookieHeader',
      'read/mountedRequest',
      'read/requestLine',
      'read/token',
    ],
    'proof-verify': [
      'verify/OwnIssuer',
      'verify/explainFailure',
      'verify/orders',
      'verify/verifyToken',
      'verify/verifyTokens',
    ],
    'proof-rules': [
      'rules/AllowList',
      'rules/AllowRule',
      'rules/DenyList',
      'rules/Policy',
      'rules/TokenLimits',
      'rules/classifyRoute',
    ],
  }),
};

assertExist([...WITH_BACKEND, ...TESTS_WITH_BACKEND]);
assertExist(Object.values(module.exports).flatMap(({ tests }) => tests));
