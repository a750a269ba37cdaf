// Each group names the files that are mutated together, and the test files that must notice. Paths are below `src`. A group has
// only the tests that are about it: for each mutant, every one of its files is loaded anew.
module.exports = {
  'allow-rules': {
    mutate: ['config/readAllowRules.ts', 'config/AllowRule.ts'],
    tests: ['config/readAllowRules.test.ts', 'config/AllowRule.test.ts'],
  },
  'rule-matching': {
    mutate: [
      'policy/AllowList.ts',
      'util/time.ts',
      'policy/isBuiltInPublicRoute.ts',
      'http/requestTarget.ts',
    ],
    tests: [
      'policy/AllowList.test.ts',
      'util/time.test.ts',
      'policy/isBuiltInPublicRoute.test.ts',
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
      'policy/RuleCoverage.ts',
      'config/readExpectations.ts',
    ],
    tests: [
      'policy/classifyRoute.test.ts',
      'policy/checkExpectations.test.ts',
      'policy/comparePolicies.test.ts',
      'policy/explainRequest.test.ts',
      'policy/findNearestRule.test.ts',
      'policy/RuleCoverage.test.ts',
      'policy/readPolicyConfig.test.ts',
    ],
  },
  credential: {
    mutate: [
      'credentials/readCredential.ts',
      'credentials/readUpgradeTokens.ts',
      'http/requestHeaders.ts',
      'credentials/assertToken.ts',
      'credentials/readProtocols.ts',
    ],
    tests: [
      'credentials/readCredential.test.ts',
      'credentials/readUpgradeTokens.test.ts',
      'http/requestHeaders.test.ts',
    ],
  },
  cookie: {
    mutate: [
      'cookie/GateCookie.ts',
      'cookie/DefaultCookieIssuer.ts',
      'http/cookieHeader.ts',
      'cookie/withRollback.ts',
    ],
    tests: [
      'cookie/GateCookie.test.ts',
      'cookie/DefaultCookieIssuer.test.ts',
      'http/cookieHeader.test.ts',
      'cookie/withRollback.test.ts',
    ],
  },
  'cookie-answers': {
    mutate: [
      'cookie/restrictResponse.ts',
      'gate/cookiePaths.ts',
      'http/canRunScript.ts',
      'http/cacheControl.ts',
      'http/fetchMetadata.ts',
    ],
    tests: [
      'cookie/restrictResponse.test.ts',
      'gate/cookiePaths.test.ts',
      'http/canRunScript.test.ts',
      'http/fetchMetadata.test.ts',
      'http/cacheControl.test.ts',
    ],
  },
  'cross-site': {
    mutate: [
      'http/requestMethod.ts',
      'policy/createCrossSiteCheck.ts',
      'policy/isSignOutCall.ts',
    ],
    tests: [
      'http/requestMethod.test.ts',
      'policy/createCrossSiteCheck.test.ts',
      'policy/isSignOutCall.test.ts',
    ],
  },
  releases: {
    mutate: ['services/backstageFeatures.ts', 'services/backstageInternals.ts'],
    tests: [
      'services/backstageFeatures.test.ts',
      'services/backstageInternals.test.ts',
    ],
  },
  revocation: {
    mutate: [
      'revocation/PendingRevocations.ts',
      'revocation/Revocation.ts',
      'revocation/RevocationList.ts',
      'revocation/Revocations.ts',
      'credentials/assertNotRevoked.ts',
      'util/entityRef.ts',
      'util/poll.ts',
    ],
    tests: [
      'revocation/PendingRevocations.test.ts',
      'revocation/Revocation.test.ts',
      'revocation/RevocationList.test.ts',
      'revocation/Revocations.test.ts',
      'credentials/assertNotRevoked.test.ts',
      'util/entityRef.test.ts',
      'util/poll.test.ts',
    ],
  },
  'sign-out': {
    mutate: [
      'revocation/IssuerClock.ts',
      'revocation/OfflineSessions.ts',
      'revocation/createUserSignOut.ts',
      'routes/RouteAccess.ts',
      'routes/readRevocationBody.ts',
      'util/RateLimit.ts',
    ],
    tests: [
      'revocation/IssuerClock.test.ts',
      'revocation/OfflineSessions.test.ts',
      'revocation/createUserSignOut.test.ts',
      'routes/RouteAccess.test.ts',
      'routes/readRevocationBody.test.ts',
      'util/RateLimit.test.ts',
    ],
  },
  challenges: {
    mutate: ['config/readMcpPaths.ts', 'gate/findResourceMetadata.ts'],
    tests: ['config/readMcpPaths.test.ts', 'gate/findResourceMetadata.test.ts'],
  },
  'revocation-store': {
    mutate: [
      'revocation/DatabaseRevocationStore.ts',
      'revocation/RemoteRevocationStore.ts',
    ],
    tests: [
      'revocation/DatabaseRevocationStore.test.ts',
      'revocation/RemoteRevocationStore.test.ts',
    ],
  },
  verification: {
    mutate: [
      'credentials/CachingHttpAuth.ts',
      'credentials/KeyEndpoints.ts',
      'credentials/NegativeTokenCache.ts',
      'credentials/NewcomerLimit.ts',
      'credentials/OwnIssuer.ts',
      'credentials/SeenKeys.ts',
      'credentials/TokenCache.ts',
      'credentials/explainFailure.ts',
      'credentials/verifyCredential.ts',
      'credentials/substituteRequest.ts',
      'util/then.ts',
    ],
    tests: [
      'credentials/CachingHttpAuth.test.ts',
      'credentials/KeyEndpoints.test.ts',
      'credentials/NegativeTokenCache.test.ts',
      'credentials/NewcomerLimit.test.ts',
      'credentials/OwnIssuer.test.ts',
      'credentials/TokenCache.test.ts',
      'credentials/token.test.ts',
      'credentials/verifyCredential.test.ts',
      'util/then.test.ts',
    ],
  },
  gate: {
    mutate: ['gate/createGate.ts'],
    tests: ['gate/createGate.test.ts'],
  },
  'gate-requests': {
    mutate: [
      'gate/GateRequest.ts',
      'gate/forward.ts',
      'gate/presentedToken.ts',
    ],
    tests: [
      'gate/GateRequest.test.ts',
      'gate/forward.test.ts',
      'gate/presentedToken.test.ts',
    ],
  },
  'gate-answers': {
    mutate: [
      'cookie/clearCookie.ts',
      'decision/refuseUndecided.ts',
      'decision/toRefusal.ts',
      'gate/failClosed.ts',
      'gate/setRefusalHeaders.ts',
      'gate/userResponse.ts',
    ],
    tests: [
      'cookie/clearCookie.test.ts',
      'decision/refuseUndecided.test.ts',
      'decision/toRefusal.test.ts',
      'gate/failClosed.test.ts',
      'gate/setRefusalHeaders.test.ts',
      'gate/userResponse.test.ts',
    ],
  },
  refusals: {
    mutate: ['decision/Refusal.ts'],
    tests: ['decision/Refusal.test.ts'],
  },
  'sign-out-calls': {
    mutate: [
      'credentials/findPublicRefusal.ts',
      'gate/SignOut.ts',
      'gate/revokedSessions.ts',
    ],
    tests: [
      'credentials/findPublicRefusal.test.ts',
      'gate/SignOut.test.ts',
      'gate/revokedSessions.test.ts',
    ],
  },
  'upgrade-credentials': {
    mutate: ['gate/authenticateUpgrade.ts'],
    tests: ['gate/authenticateUpgrade.test.ts'],
  },
  settings: {
    mutate: [
      'config/findListSources.ts',
      'config/findNewerFiles.ts',
      'config/readApiGateConfig.ts',
      'config/readBaseUrl.ts',
      'config/readCookieSettings.ts',
      'config/readSignOutSettings.ts',
      'config/values.ts',
    ],
    tests: [
      'config/findListSources.test.ts',
      'config/findNewerFiles.test.ts',
      'config/readApiGateConfig.test.ts',
      'config/readCookieSettings.test.ts',
      'config/readApiGateConfig.cookieTrust.test.ts',
      'config/readApiGateConfig.mode.test.ts',
      'config/readApiGateConfig.durations.test.ts',
      'config/readSignOutSettings.test.ts',
      'config/values.test.ts',
    ],
  },
  'policy-source': {
    mutate: [
      'policy/PolicySource.ts',
      'policy/commonPrefixes.ts',
      'policy/hashPolicy.ts',
      'policy/readPolicyConfig.ts',
    ],
    tests: [
      'policy/PolicySource.test.ts',
      'policy/commonPrefixes.test.ts',
      'policy/hashPolicy.test.ts',
      'policy/readPolicyConfig.test.ts',
    ],
  },
  tokens: {
    mutate: ['credentials/token.ts'],
    tests: ['credentials/token.test.ts'],
  },
  upgrades: {
    mutate: [
      'gate/UpgradeGuard.ts',
      'gate/createWebSocketGate.ts',
      'http/dispatchUpgrade.ts',
      'http/upgradeRequest.ts',
      'revocation/SessionSockets.ts',
    ],
    tests: [
      'gate/UpgradeGuard.test.ts',
      'gate/createWebSocketGate.test.ts',
      'http/dispatchUpgrade.test.ts',
      'http/upgradeRequest.test.ts',
      'revocation/SessionSockets.test.ts',
    ],
  },
  'upgrade-gate': {
    mutate: ['gate/createUpgradeGate.ts'],
    tests: ['gate/createUpgradeGate.test.ts'],
  },
  plugins: {
    mutate: [
      'plugins/DeclaredPolicies.ts',
      'plugins/Plugins.ts',
      'services/httpRouterService.ts',
      'services/pluginTokenGuard.ts',
    ],
    tests: [
      'plugins/DeclaredPolicies.test.ts',
      'plugins/Plugins.test.ts',
      'services/httpRouterService.test.ts',
      'services/pluginTokenGuard.test.ts',
    ],
  },
  'revocation-routes': {
    mutate: [
      'routes/createPolicyRouter.ts',
      'routes/createRevocationRouter.ts',
    ],
    tests: [
      'routes/createPolicyRouter.test.ts',
      'routes/createRevocationRouter.test.ts',
    ],
  },
};
