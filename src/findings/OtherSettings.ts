/** An endpoint of the proxy plugin. */
export interface ProxyEndpoint {
  /** Config path. */
  at: string;
  /** Below the plugin, in lower case and without a slash at the end. */
  path: string;
  /** Whether the plugin itself lets requests without a credential pass. */
  isPublic: boolean;
  /** Names of the settings that give each request a credential for the target. */
  secrets: string[];
  /** Whether the caller's `Authorization` goes to the target. */
  forwardsToken: boolean;
  isWebSocket: boolean;
}

/** An entry of `backend.auth.externalAccess` or `backend.auth.keys`. */
export interface ExternalToken {
  at: string;
  isRestricted: boolean;
  /** The number of characters of a static token. */
  length: number | undefined;
}

/** The settings of Backstage and of other plugins that findings depend on. */
export interface OtherSettings {
  /** The entries of `backend.cors.origin`. */
  corsOrigins: { at: string; origin: string }[];
  externalTokens: ExternalToken[];
  /** Whether plugins refuse nobody by themselves. */
  hasNoBarriers: boolean;
  hasPermissions: boolean;
  hasRefreshTokens: boolean;
  /** Patterns for OAuth clients that match any host. */
  oauthWildcards: string[];
  /** Sign-in settings that give a token to people who are not in the catalog. */
  openSignIns: { at: string; isGuest: boolean }[];
  proxyEndpoints: ProxyEndpoint[];
  /** `events.http.topics`, and the topics with a secret in lower case. */
  webhooks: { topics: string[]; withSecret: ReadonlySet<string> };
}
