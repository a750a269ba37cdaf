import type { AllowRule, PluginPath } from './AllowRule';

/** The settings that the gate decides by: `auth.apiGate` in part, checked and with its defaults. */
export interface GateSettings {
  /** With `report-only`, only revoked sessions are refused. */
  mode: 'enforce' | 'report-only';
  /** The end of report-only. With `enforce`, it has passed. */
  until: Date | undefined;
  allow: AllowRule[];
  /** The name in lower case of the header that may hold the Backstage token in place of `Authorization`. */
  credentialHeader: string | undefined;
  /** The paths where `Authorization` is for the server behind the handler. */
  foreignAuthorization: PluginPath[];
  /** The requests that external tokens may make, and until when. `undefined`: those that Backstage lets them make. */
  tokens: TokenEntry[] | undefined;
  cookie: CookieSettings;
  /** Serialised origins whose pages may use the cookie. */
  trustedOrigins: string[];
  /** Where pages and scripts that the cookie opens may act as the user. */
  trustedPaths: PluginPath[];
  /** The serialised origin of `backend.baseUrl`. */
  backendOrigin: string;
  signOut: {
    /** A sign-out ends the session of this browser's cookie, or all sessions of the user. */
    scope: 'session' | 'user';
    /** Ids of the providers whose `logout` is a sign-out, lower case. */
    providers: ReadonlySet<string>;
  };
  /** The paths of the plugin `mcp-actions` whose 401 names their metadata (RFC 9728). */
  mcpPaths: ReadonlySet<string>;
  audit: {
    /** Whether the log line and the audit event of a refusal have the client's address. */
    clientAddress: boolean;
  };
}

/** An entry of `auth.apiGate.tokens`, checked: it allows requests to the external tokens of a subject. */
export interface TokenEntry {
  /** With `*` at its end, the entry is a default for the subjects that begin with the text before it. */
  subject: string;
  /** The requests that the tokens may make. */
  only: AllowRule[] | 'all';
  /** The time from which on the entry allows nothing, in milliseconds since 1970. Default: the entry does not end. */
  until?: number;
  reason?: string;
}

/** `auth.apiGate.cookie`. */
export interface CookieSettings {
  /** Whether the gate reads and issues its cookie. */
  enabled: boolean;
  name: string;
  /** RFC 6265, section 4.1.2, as the `cookie` package spells them. */
  attributes: {
    domain?: string;
    httpOnly: true;
    path: string;
    sameSite: 'strict' | 'lax' | 'none';
    secure: boolean;
  };
  /** How long the cookie lives at most. `undefined`: as long as its token. */
  maxAgeMs: number | undefined;
}
