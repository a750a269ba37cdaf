import type { FindingId } from '../../settings/read/readAcceptedFindings';

/** The texts of each finding. `{name}` is what its place has of that name. */
export const TEXTS: Record<FindingId, { why: string; write: string }> = {
  'anyone-may-sign-in': {
    why: 'gives a valid token to everybody {who}',
    write: 'remove {what}',
  },
  'external-tokens-unlimited': {
    why: 'is not set, so that an external token may make every request that its accessRestrictions allow',
    write:
      'add it, with an entry for each external token that calls: a token without an entry may then make no request',
  },
  'no-barrier-behind': {
    why: 'takes the barriers of all plugins away, so that nothing but the gate refuses anybody',
    write: 'remove it once the gate enforces',
  },
  'open-proxy-with-secret': {
    why: 'lets anybody use the credential that {endpoint} has for its target ({secrets})',
    write: 'remove the rule, or the credential from {endpoint}',
  },
  'open-webhook-without-secret': {
    why: 'opens the webhook {topics}, and no secret is configured for it, so that anybody can publish events',
    write: '{remedy}, or remove the rule',
  },
  'plugin-not-installed': {
    why: 'names the plugin {plugin}, which is not installed in this backend{meant}',
    write:
      'correct the id, or accept this finding if it is right, as for a plugin of another backend',
  },
  'report-only-ends': {
    why: '{ends} report-only at {time}{then}',
    write: '{remedy}',
  },
  'rule-changes-data': {
    why: 'makes {methods} public',
    write:
      'leave only the methods that are needed, and accept this finding if the handler checks who calls',
  },
  'rule-ends-soon': {
    why: 'opens nothing from {time}',
    write: 'remove the rule, or write a later until',
  },
  'rule-opens-plugin': {
    why: 'makes the whole plugin {plugin} public',
    write:
      'name the paths that are meant; if a variable stands before its /**, that variable is empty',
  },
  'scripts-act-as-user': {
    why: 'lets every page and script of the plugin {plugin} act as the user who opens it',
    write: 'name the paths whose content you trust',
  },
  'token-ends-soon': {
    why: 'allows nothing from {time}',
    write: 'renew the token and write a later until, or remove both',
  },
  'token-leaves-house': {
    why: '{does}',
    write:
      'remove {what}; accept this finding if the target may have the tokens',
  },
  'token-without-end': {
    why: 'never ends',
    write:
      'write until in each entry of auth.apiGate.tokens for {subject}, and renew the token before that day',
  },
  'unrestricted-external-token': {
    why: 'is valid for every route of every plugin',
    write:
      'add accessRestrictions with the plugins that it calls, and those that handlers call for it',
  },
};
