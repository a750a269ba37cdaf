import type { JsonObject } from '@backstage/types';
import { merge } from 'lodash';
import { accessWith, staticToken } from './externalAccess';
import { discovery } from './startBackend';

/** Two configurations of a setting that `api-gate diff` compares. */
export interface Pair {
  /** The key of the setting in the table of the command. */
  settings: string;
  narrow: JsonObject;
  /** The configuration under which somebody may do more. */
  wide: JsonObject;
  /** The line for the change to `wide`. */
  more: string;
  /** The line for the change back. */
  less: string;
}

const gate = (apiGate: JsonObject): JsonObject => ({ auth: { apiGate } });

/** Makes a pair below `auth.apiGate`, whose lines end with its config path. */
function ofGate(
  key: string,
  narrow: JsonObject,
  wide: JsonObject,
  more: string,
  less = more,
): Pair {
  const settings = `auth.apiGate.${key}`;
  const at = settings.split('[')[0];
  return {
    settings,
    narrow: gate(narrow),
    wide: gate(wide),
    more: `+ ${more}  ${at}`,
    less: `- ${less}  ${at}`,
  };
}

/** Makes a pair of a setting with one value. */
function ofValue(key: string, narrow: unknown, wide: unknown): Pair {
  const [old, now] = [narrow, wide].map(
    value => JSON.stringify(value) ?? 'the default',
  );
  const settings = (value: unknown): JsonObject => {
    const [last, ...parents] = key.split('.').reverse();
    return parents.reduce<JsonObject>(
      (inner, parent) => ({ [parent]: inner }),
      { [last]: value } as JsonObject,
    );
  };
  return ofGate(
    key,
    settings(narrow),
    settings(wide),
    `wider  ${now}, was ${old}`,
    `narrower  ${old}, was ${now}`,
  );
}

export const HOUR_AGO = new Date(Date.now() - 3_600_000).toISOString();
export const PORTAL = 'https://portal.example.com';
export const RULE = { plugin: 'hello', path: '/data' };
const ONLY = [{ plugin: 'hello', path: '/ok' }];
const RULES = 'allow[].{plugin,path,methods,until}';
const TOKENS =
  'tokens[].{subject,until,only[].plugin,only[].path,only[].methods}';

export const CI = 'ci-token-of-this-test';

/** Makes a pair of entries for one subject. */
function limitOfCi(
  narrow: JsonObject[],
  wide: JsonObject[],
  limit: string,
): Pair {
  const [before, after] = [narrow, wide].map(entries => ({
    ...accessWith(staticToken(CI, 'ci')),
    ...gate({
      tokens: entries.map(entry => ({ subject: 'ci', only: 'all', ...entry })),
    }),
  }));
  return {
    ...ofGate(
      TOKENS,
      {},
      {},
      `may more  ci: ${limit}`,
      `may less  ci: ${limit}`,
    ),
    narrow: before,
    wide: after,
  };
}

/** A subject of an issuer, which has the subjects that begin with `external:e:`. */
export const OF_ISSUER = 'external:e:ci';
const ISSUER = {
  type: 'jwks',
  options: {
    url: 'https://issuer.example.com/keys',
    issuer: 'https://issuer.example.com',
    algorithm: 'RS256',
    audience: 'backstage-ci',
    subjectPrefix: 'e',
  },
};
const DENIES = { subject: 'external:e:*', only: [] };

/** Makes a pair of entries for subjects of an issuer. */
function limitOfIssuer(
  narrow: JsonObject[],
  wide: JsonObject[],
  limit: string,
): Pair {
  return {
    ...limitOfCi([], [], ''),
    narrow: { ...accessWith(ISSUER), ...gate({ tokens: narrow }) },
    wide: { ...accessWith(ISSUER), ...gate({ tokens: wide }) },
    more: `+ may more  ${limit}  auth.apiGate.tokens`,
    less: `- may less  ${limit}  auth.apiGate.tokens`,
  };
}

/** The settings that are inputs of `judge`, as the proof has it. */
export const JUDGED: Pair[] = [
  {
    settings: 'auth.apiGate.{mode,until}',
    narrow: gate({}),
    wide: gate({ mode: 'report-only' }),
    more: '+ public  whatever plugins leave open  auth.apiGate.mode is report-only',
    less: '- closed  whatever no rule names  auth.apiGate.mode is enforce',
  },
  ...[[], [{ ...RULE, until: HOUR_AGO }], [{ ...RULE, methods: ['POST'] }]].map(
    (allow, i): Pair => ({
      settings: `auth.apiGate.${RULES}`,
      narrow: gate({ allow }),
      wide: gate({ allow: [{ ...RULE, methods: ['GET', 'POST'] }] }),
      more: `+ public  ${i < 2 ? 'GET,HEAD,POST' : 'GET,HEAD'} /api/hello/data  auth.apiGate.allow[0]`,
      less: `- closed  ${i < 2 ? 'GET,HEAD,POST' : 'GET,HEAD'} /api/hello/data`,
    }),
  ),
  limitOfCi([{ only: ONLY }], [{}], 'what accessRestrictions allow'),
  limitOfCi([], [{ only: [RULE] }], 'GET /api/hello/data'),
  {
    ...limitOfCi([], [], ''),
    wide: accessWith(staticToken(CI, 'ci')),
    more: '+ may more  *: what accessRestrictions allow  auth.apiGate.tokens',
    less: '- may less  *: what accessRestrictions allow  auth.apiGate.tokens',
  },
  ...['/data', '/**'].map(path =>
    limitOfCi(
      [{ only: ONLY }],
      [{ only: ONLY }, { only: [{ plugin: 'hello', path }] }],
      `GET /api/hello/ok; GET /api/hello${path}`,
    ),
  ),
  limitOfCi(
    [{ until: HOUR_AGO }],
    [{ until: '2999-01-01' }],
    'what accessRestrictions allow  (until 2999-01-01T00:00:00.000Z)',
  ),
  limitOfIssuer(
    [DENIES],
    [{ ...DENIES, only: 'all' }],
    'external:e:*: what accessRestrictions allow',
  ),
  limitOfIssuer(
    [DENIES],
    [{ ...DENIES, only: [RULE] }],
    'external:e:*: GET /api/hello/data',
  ),
  limitOfIssuer(
    [DENIES],
    [DENIES, { subject: 'external:e:c*', only: [RULE] }],
    'external:e:c*: GET /api/hello/data',
  ),
  limitOfIssuer(
    [DENIES, { subject: OF_ISSUER, only: ONLY }],
    [DENIES, { subject: OF_ISSUER, only: 'all' }],
    `${OF_ISSUER}: what accessRestrictions allow`,
  ),
  limitOfIssuer(
    [{ ...DENIES, only: [RULE], until: HOUR_AGO }],
    [
      { ...DENIES, only: [RULE], until: HOUR_AGO },
      { subject: OF_ISSUER, only: [RULE], until: '2999-01-01' },
    ],
    `${OF_ISSUER}: GET /api/hello/data  (ended at ${HOUR_AGO}); GET /api/hello/data  (until 2999-01-01T00:00:00.000Z)`,
  ),
  ofGate(
    'credentialHeader',
    {},
    { credentialHeader: 'X-Credential' },
    'trusts  x-credential',
  ),
  ofGate(
    'foreignAuthorization[].{plugin,path}',
    {},
    { foreignAuthorization: [RULE] },
    'sends Authorization to  /api/hello/data',
  ),
  ofGate(
    'cookie.trustedOrigins',
    {},
    { cookie: { trustedOrigins: [PORTAL] } },
    `trusts  ${PORTAL}`,
  ),
  ofGate(
    'cookie.trustedPaths[].{plugin,path}',
    { cookie: { trustedPaths: [{ plugin: 'hello', path: '/data/below' }] } },
    { cookie: { trustedPaths: [{ plugin: 'hello', path: '/**' }] } },
    'trusts  /api/hello/**',
  ),
];

export const NO_BARRIERS = 'backend.auth.dangerouslyDisableDefaultAuthPolicy';
const noBarriers = (isSet: boolean): JsonObject => ({
  backend: { auth: { dangerouslyDisableDefaultAuthPolicy: isSet } },
});

/** The settings by which a command succeeds or not. */
export const OF_COMMANDS: Pair[] = [
  {
    settings: 'auth.apiGate.expect[].{request,plugin,is}',
    narrow: gate({ expect: [{ plugin: 'hello', is: 'closed' }] }),
    wide: gate({}),
    more: '+ no longer expected  the plugin hello is closed',
    less: '- newly expected  the plugin hello is closed',
  },
  {
    settings: 'auth.apiGate.findings.accept[].{id,at}',
    narrow: noBarriers(true),
    wide: merge(
      noBarriers(true),
      gate({
        findings: {
          accept: [{ id: 'no-barrier-behind', at: NO_BARRIERS, reason: 'x' }],
        },
      }),
    ),
    more: `+ accepts  no-barrier-behind  ${NO_BARRIERS}`,
    less: `- accepts  no-barrier-behind  ${NO_BARRIERS}`,
  },
];

export const OPERATOR = 'user:default/operator';
const HOST_COOKIE = '__Host-token';
const access = (...plugins: string[]) =>
  accessWith(staticToken(CI, 'ci', ...plugins));

/** The settings of which a backend has to be asked. */
export const OF_BACKENDS: Pair[] = [
  ofGate(
    'operators',
    {},
    { operators: [OPERATOR] },
    `may end sessions  ${OPERATOR}`,
  ),
  ofValue('cookie.enabled', false, undefined),
  ofValue('cookie.name', HOST_COOKIE, 'token'),
  ofValue('cookie.domain', undefined, 'example.com'),
  ofValue('cookie.sameSite', 'strict', 'none'),
  ofValue('cookie.maxAge', '1m', '1h'),
  ofValue('signOut.scope', 'user', 'session'),
  ofValue('signOut.providers', ['okta', 'saml'], ['saml']),
  {
    settings: 'backend.auth.{externalAccess,keys}',
    narrow: access('other'),
    wide: access(),
    more: '+ may more  ci: every plugin  backend.auth.externalAccess[0]',
    less: '- may less  ci: every plugin  backend.auth.externalAccess[0]',
  },
  {
    settings: 'discovery.endpoints',
    narrow: {},
    wide: discovery(7008, 'friend'),
    more: '+ trusts  another address for the keys of friend  discovery.endpoints',
    less: '- trusts  another address for the keys of friend  discovery.endpoints',
  },
  {
    settings: 'permission.enabled',
    narrow: { permission: { enabled: true } },
    wide: {},
    more: '+ wider  the default, was true  permission.enabled',
    less: '- narrower  true, was the default  permission.enabled',
  },
  {
    settings:
      'auth.providers, backend.auth.dangerouslyDisableDefaultAuthPolicy, events, proxy',
    narrow: noBarriers(false),
    wide: noBarriers(true),
    more: `+ finding  no-barrier-behind  ${NO_BARRIERS}`,
    less: `- finding  no-barrier-behind  ${NO_BARRIERS}`,
  },
];
