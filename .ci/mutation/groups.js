// Each group names the files that are mutated together, and the test files that must notice. Paths are below `src`. A group has
// only the tests that are about it: for each mutant, every one of its files is loaded anew.
module.exports = {
  'allow-rules': {
    mutate: [
      'config/readAllowRules.ts',
      'policy/AllowList.ts',
      'gate/isPublicByNature.ts',
      'http/requestTarget.ts',
    ],
    tests: [
      'config/readAllowRules.test.ts',
      'credentials/verifyCredential.test.ts',
      'policy/AllowList.test.ts',
      'gate/isPublicByNature.test.ts',
      'http/requestTarget.test.ts',
    ],
  },
  classification: {
    mutate: [
      'policy/classifyRoute.ts',
      'policy/checkExpectations.ts',
      'policy/comparePolicies.ts',
      'policy/explainRequest.ts',
      'policy/findNearestRule.ts',
      'config/readExpectations.ts',
      'http/readApiTarget.ts',
    ],
    tests: [
      'policy/comparePolicies.test.ts',
      'policy/findNearestRule.test.ts',
      'config/readExpectations.test.ts',
      'http/readApiTarget.test.ts',
      'cli/explain.test.ts',
    ],
  },
  credential: {
    mutate: [
      'credentials/readCredential.ts',
      'credentials/readUpgradeTokens.ts',
      'cookie/replaceCookies.ts',
    ],
    tests: [
      'credentials/readCredential.test.ts',
      'credentials/readUpgradeTokens.test.ts',
      'cookie/replaceCookies.test.ts',
    ],
  },
  cookie: {
    mutate: [
      'cookie/GateCookie.ts',
      'cookie/createCookieIssuer.ts',
      'cookie/cookiePairs.ts',
    ],
    tests: [
      'cookie/GateCookie.test.ts',
      'cookie/createCookieIssuer.test.ts',
      'cookie/cookiePairs.test.ts',
    ],
  },
  'cross-site': {
    mutate: ['policy/createCrossSiteCheck.ts', 'gate/isSignOutCall.ts'],
    tests: [
      'policy/createCrossSiteCheck.test.ts',
      'gate/isSignOutCall.test.ts',
    ],
  },
  revocation: {
    mutate: [
      'revocation/Revocation.ts',
      'revocation/RevocationList.ts',
      'revocation/Revocations.ts',
      'revocation/requireNotRevoked.ts',
    ],
    tests: [
      'revocation/Revocation.test.ts',
      'revocation/RevocationList.test.ts',
      'revocation/Revocations.test.ts',
      'revocation/requireNotRevoked.test.ts',
    ],
  },
  verification: {
    mutate: [
      'credentials/CallingPlugins.ts',
      'credentials/RecentFailures.ts',
      'credentials/TokenCache.ts',
      'credentials/verifyCredential.ts',
    ],
    tests: [
      'credentials/CallingPlugins.test.ts',
      'credentials/RecentFailures.test.ts',
      'credentials/TokenCache.test.ts',
      'credentials/verifyCredential.test.ts',
    ],
  },
  gate: {
    mutate: [
      'gate/Refusal.ts',
      'gate/createGate.ts',
      'gate/createSignOut.ts',
      'gate/judgeUpgrade.ts',
    ],
    tests: [
      'gate/Refusal.test.ts',
      'gate/createGate.test.ts',
      'gate/judgeUpgrade.test.ts',
    ],
  },
};
