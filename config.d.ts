import type { HumanDuration } from '@backstage/types';

export interface Config {
  auth?: {
    /** The API gate: every route of every plugin needs a valid credential, except what is named here. */
    apiGate?: {
      /**
       * `report-only`: each decision is counted and logged, and only ended sessions are refused. Allow rules open
       * nothing yet. Going back to it from `enforce` needs a restart. Default: `enforce`.
       */
      mode?: 'enforce' | 'report-only';
      /**
       * With `report-only`: from then on it is `enforce`. A date in UTC, such as `2026-12-31`, or an instant with a zone, such
       * as `2026-12-31T18:00:00Z`. Default: never.
       */
      until?: string;

      /**
       * What is public: the gate and the plugin's own auth policy let it through. Default: nothing.
       */
      allow?: Array<{
        /** Id of one plugin, in lower case. */
        plugin: string;
        /**
         * Path relative to the plugin: exact (`/health`), or everything below it with a trailing `/**` (`/static/**`). A `*`
         * after the first segment stands for exactly one segment (`/badges/*`). Case-sensitive.
         */
        path: string;
        /**
         * Methods in upper case. `GET` implies `HEAD`. `WEBSOCKET` stands for an upgrade to a WebSocket at this very path
         * (no `*`, no `/**`). Default: `[GET]`.
         */
        methods?: string[];
        /** Why this is public, for those who read the configuration or the log. Default: none. */
        reason?: string;
        /**
         * From then on the rule opens nothing. A date in UTC, such as `2026-12-31`, or an instant with a zone, such as
         * `2026-12-31T18:00:00Z`. Default: never.
         */
        until?: string;
      }>;

      /**
       * The ids of plugins of which no rule may open anything, in lower case. With a rule for one of them, the backend does
       * not start, and a changed configuration is not applied. One that is not installed is a finding. Default: none.
       */
      closed?: string[];

      /**
       * What external tokens may do, and until when. Once the list is there, an external token without an entry may make no request. Entries
       * add up, and open nothing by themselves: Backstage verifies the token first. Only a restart takes the list away. Default: none, so
       * that external tokens may do what Backstage lets them do.
       */
      tokens?: Array<{
        /**
         * The subject of the tokens, as in their entry of `backend.auth.externalAccess`. For tokens of a `jwks` entry, write `external:`,
         * its `subjectPrefix` with a colon if it has one, and the token's `sub`. If the text ends with `*`, such as `external:*`, the
         * entry is for every subject that begins with the text before the `*`.
         */
        subject: string;
        /**
         * The requests that the tokens may make, or `all`; any other is 403. Only a subject that ends with `*` may have an empty list.
         */
        only:
          | 'all'
          | Array<{
              /** Id of one plugin, in lower case. */
              plugin: string;
              /** A path relative to the plugin, as in `allow`. */
              path: string;
              /** Methods in upper case, as in `allow`. Default: `[GET]`. */
              methods?: string[];
            }>;
        /** From then on the entry allows nothing: a date in UTC, or an instant with a zone. Default: never. */
        until?: string;
        /** What the tokens are for. Default: none. */
        reason?: string;
      }>;

      /** The cookie that authenticates a browser's own requests: images, links, downloads, WebSockets. */
      cookie?: {
        /** Whether the gate reads and issues its cookie. Default: `true`. */
        enabled?: boolean;
        /** Name of the cookie. On https, `__Host-token` keeps other hosts from setting it. Default: `token`. */
        name?: string;
        /**
         * How long the cookie stays in a browser that makes no call with a bearer token, from 1 minute to 24 hours, and never
         * longer than the token that it holds. Default: as long as the token, or 15 minutes if `auth.providers` has a provider
         * that signs out without a call to the backend: `awsalb`, `azureEasyAuth`, `cfaccess`, `gcpIap`, `oauth2Proxy`, or `guest` if
         * guests can sign in.
         */
        maxAge?: HumanDuration | string;
        /**
         * `Domain` of the cookie: the host of `backend.baseUrl` or a domain that it is in. Every host of that domain
         * receives the cookie. Default: none, so that only the host of `backend.baseUrl` does.
         */
        domain?: string;
        /** `SameSite` of the cookie; `none` needs https. Default: `lax`. */
        sameSite?: 'strict' | 'lax' | 'none';
        /**
         * Origins, such as `https://portal.example.com`, whose pages may use the cookie for `fetch`, for what changes
         * something, and for WebSockets, besides those of `app.baseUrl` and `backend.baseUrl`. Default: none.
         */
        trustedOrigins?: string[];
        /**
         * Paths where what the cookie opens may act as the user: HTML, SVG and XML are not sandboxed, and the cookie
         * authenticates scripts, styles and workers. Paths that a plugin has declared `user-cookie` need none. Default: none.
         */
        trustedPaths?: Array<{
          /** Id of one plugin, in lower case. */
          plugin: string;
          /** Literal path relative to the plugin: exact, or everything below it with a trailing `/**`. */
          path: string;
        }>;
      };

      /**
       * The name of a header that may hold the Backstage token in place of `Authorization`, as `Bearer <token>` or bare. It begins
       * with `X-` or `Backstage-`. No handler gets it. Needs a restart. Default: none.
       */
      credentialHeader?: string;

      /**
       * Paths where `Authorization` is for the server behind the handler, such as a proxy's target, and reaches it as it was sent.
       * There the gate's cookie or `credentialHeader` authenticates. Needs a restart. Default: none.
       */
      foreignAuthorization?: Array<{
        /** Id of one plugin, in lower case. */
        plugin: string;
        /** Literal path relative to the plugin: exact, or everything below it with a trailing `/**`. */
        path: string;
      }>;

      /** What a sign-out ends. To end less, restart the backend. */
      signOut?: {
        /**
         * `session`: the sign-in whose token is in this browser's cookie. `user`: every token of the user that was issued up
         * to now, and the refresh tokens of OAuth clients. The session at the identity provider goes on: it signs other devices in again when they load the page.
         * Default: `session`.
         */
        scope?: 'session' | 'user';
        /**
         * Ids of auth providers whose `logout` is a sign-out, besides those that have `signIn` in `auth.providers`.
         * Default: none.
         */
        providers?: string[];
      };

      /**
       * Users who may end the sessions of others, also those of the next hours, and read the policy: full entity references of
       * users, or of groups in a user's ownership references, such as `group:default/platform`; letter case is ignored. Where `permission.enabled` is true,
       * they need the permission as well. Default: none.
       */
      operators?: string[];

      /** Settings that make the gate pointless or a rule dangerous are logged at start, and are in the policy report. */
      findings?: {
        /** Findings that you accept as intended. They are reported as accepted, and `api-gate check` does not fail for them. Default: none. */
        accept?: Array<{
          /** Id of the finding, such as `token-leaves-house`. */
          id: string;
          /** The place that the finding names. The index of an entry of a list may differ. */
          at: string;
          /** Why you accept it. */
          reason: string;
        }>;
      };
      /** The audit events of refusals. */
      audit?: {
        /**
         * Whether they hold the address of the client, as `backend.trustProxy` lets Backstage read it, and so the last refusals of the
         * policy route. An address is personal data in many countries. Default: `false`.
         */
        clientAddress?: boolean;
      };
    };
  };
}
