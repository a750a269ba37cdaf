import type { FindingId } from '../../settings/read/readAcceptedFindings';
import type { Facts, Place, Severity } from './Finding';
import {
  findEndingRules,
  findOpenProxies,
  findOpenWebhooks,
  findUnsafeMethods,
  findWideRules,
} from './rules';
import {
  findForwardedTokens,
  findMisspelt,
  findMissingBarriers,
  findOpenSignIns,
  findUntilOfReportOnly,
  findWideTrust,
} from './settings';
import { findAbsentPlugins } from './plugins';
import { findEndingTokens, findUnlimited, findUnrestricted } from './tokens';

/** A kind of finding. In its texts, `{name}` is what its place has of that name. */
interface Row {
  id: FindingId;
  severity: Severity;
  find(facts: Facts): Place[];
  /** A clause about the place. */
  why: string;
  /** The change that removes the finding. */
  write: string;
  /** The document that explains it. */
  page: string;
}

/** All findings, in the order in which they are reported. */
export const ROWS: readonly Row[] = [
  {
    id: 'no-barrier-behind',
    severity: 'high',
    find: findMissingBarriers,
    why: 'takes the barriers of all plugins away, so that nothing but the gate refuses anybody',
    write: 'remove it once the gate enforces',
    page: 'docs/migrate.md#from-dangerouslydisabledefaultauthpolicy',
  },
  {
    id: 'misspelt-setting',
    severity: 'high',
    find: findMisspelt,
    why: 'is not known to Backstage{meant}, which ignores it and all that is below it',
    write: 'correct the key; accept this finding if a plugin of yours reads it',
    page: 'docs/findings.md#the-ids',
  },
  {
    id: 'anyone-may-sign-in',
    severity: 'high',
    find: findOpenSignIns,
    why: 'gives a valid token to everybody {who}',
    write: 'remove {what}',
    page: 'docs/findings.md#the-ids',
  },
  {
    id: 'rule-opens-plugin',
    severity: 'high',
    find: findWideRules,
    why: 'makes the whole plugin {plugin} public',
    write:
      'name the paths that are meant; if a variable stands before its /**, that variable is empty',
    page: 'docs/findings.md#the-ids',
  },
  {
    id: 'rule-changes-data',
    severity: 'high',
    find: findUnsafeMethods,
    why: 'makes {methods} public',
    write:
      'leave only the methods that are needed, and accept this finding if the handler checks who calls',
    page: 'docs/findings.md#the-ids',
  },
  {
    id: 'open-webhook-without-secret',
    severity: 'high',
    find: findOpenWebhooks,
    why: 'opens the webhook {topics}, and no secret is configured for it, so that anybody can publish events',
    write: '{remedy}, or remove the rule',
    page: 'docs/recipes/webhooks.md#1-set-the-secret-first',
  },
  {
    id: 'open-proxy-with-secret',
    severity: 'high',
    find: findOpenProxies,
    why: 'lets anybody use the credential that {endpoint} has for its target ({secrets})',
    write: 'remove the rule, or the credential from {endpoint}',
    page: 'docs/findings.md#the-ids',
  },
  {
    id: 'token-leaves-house',
    severity: 'high',
    find: findForwardedTokens,
    why: '{does}',
    write:
      'remove {what}; accept this finding if the target may have the tokens',
    page: 'docs/websockets.md#a-proxy-endpoint-with-ws-true',
  },
  {
    id: 'scripts-act-as-user',
    severity: 'high',
    find: findWideTrust,
    why: 'lets every page and script of the plugin {plugin} act as the user who opens it',
    write: 'name the paths whose content you trust',
    page: 'docs/findings.md#the-ids',
  },
  {
    id: 'unrestricted-external-token',
    severity: 'high',
    find: findUnrestricted,
    why: 'is valid for every route of every plugin',
    write:
      'add accessRestrictions with the plugins that it calls, and those that handlers call for it',
    page: 'docs/recipes/clients.md#what-a-restricted-token-needs',
  },
  {
    id: 'external-tokens-unlimited',
    severity: 'high',
    find: findUnlimited,
    why: 'is not set, so that an external token may make every request that its accessRestrictions allow',
    write:
      'add it, with an entry for each external token that calls: a token without an entry may then make no request',
    page: 'docs/recipes/clients.md#a-token-that-may-do-less-and-that-ends',
  },
  {
    id: 'plugin-not-installed',
    severity: 'low',
    find: findAbsentPlugins,
    why: 'names the plugin {plugin}, which is not installed in this backend{meant}',
    write:
      'correct the id, or accept this finding if it is right, as for a plugin of another backend',
    page: 'docs/findings.md#the-ids',
  },
  {
    id: 'report-only-ends',
    severity: 'low',
    find: findUntilOfReportOnly,
    why: '{ends} report-only at {time}{then}',
    write: '{remedy}',
    page: 'docs/configuration.md#until',
  },
  {
    id: 'rule-ends-soon',
    severity: 'low',
    find: findEndingRules,
    why: 'opens nothing from {time}',
    write: 'remove the rule, or write a later until',
    page: 'docs/findings.md#the-ids',
  },
  {
    id: 'token-ends-soon',
    severity: 'low',
    find: findEndingTokens,
    why: 'allows nothing from {time}',
    write: 'renew the token and write a later until, or remove both',
    page: 'docs/findings.md#the-ids',
  },
];
