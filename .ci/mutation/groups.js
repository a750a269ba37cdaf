// What is mutated together, and the test files that must notice. Paths are below `src`. A group has only the tests that are
// about it: for each mutant, every one of its files is loaded anew.
module.exports = {
  'allow-rules': {
    mutate: [
      'config/readAllowRules.ts',
      'request/AllowList.ts',
      'request/isPublicByNature.ts',
      'request/requestTarget.ts',
    ],
    tests: [
      'config/readAllowRules.test.ts',
      'credential/verifyCredential.test.ts',
      'request/AllowList.test.ts',
      'request/isPublicByNature.test.ts',
      'request/requestTarget.test.ts',
    ],
  },
  credential: {
    mutate: [
      'credential/readCredential.ts',
      'credential/readUpgradeTokens.ts',
      'request/replaceCookies.ts',
    ],
    tests: [
      'credential/readCredential.test.ts',
      'credential/readUpgradeTokens.test.ts',
      'request/replaceCookies.test.ts',
    ],
  },
  cookie: {
    mutate: [
      'cookie/GateCookie.ts',
      'cookie/createCookieIssuer.ts',
      'request/cookiePairs.ts',
    ],
    tests: [
      'cookie/GateCookie.test.ts',
      'cookie/createCookieIssuer.test.ts',
      'request/cookiePairs.test.ts',
    ],
  },
  'cross-site': {
    mutate: ['request/createCrossSiteCheck.ts', 'request/isSignOutCall.ts'],
    tests: [
      'request/createCrossSiteCheck.test.ts',
      'request/isSignOutCall.test.ts',
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
      'credential/CallingPlugins.ts',
      'credential/RecentFailures.ts',
      'credential/TokenCache.ts',
      'credential/verifyCredential.ts',
    ],
    tests: [
      'credential/CallingPlugins.test.ts',
      'credential/RecentFailures.test.ts',
      'credential/TokenCache.test.ts',
      'credential/verifyCredential.test.ts',
    ],
  },
  gate: {
    mutate: [
      'Refusal.ts',
      'createGate.ts',
      'createSignOut.ts',
      'judgeUpgrade.ts',
    ],
    tests: ['Refusal.test.ts', 'createGate.test.ts', 'judgeUpgrade.test.ts'],
  },
};
