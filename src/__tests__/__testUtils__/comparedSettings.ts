import type { JsonObject } from '@backstage/types';
import { merge, set } from 'lodash';
import { accessWith, staticToken } from './externalAccess';
import { discovery } from './startBackend';

/** Two configurations of a setting, whose difference the report shows. */
export interface Pair {
  /** The config paths of the setting, as `a.{b,c}`. */
  settings: string;
  narrow: JsonObject;
  /** The configuration under which somebody may do more. */
  wide: JsonObject;
}

const gate = (apiGate: JsonObject): JsonObject => ({ auth: { apiGate } });

/** Makes a pair below `auth.apiGate`. */
const ofGate = (key: string, narrow: JsonObject, wide: JsonObject): Pair => ({
  settings: `auth.apiGate.${key}`,
  narrow: gate(narrow),
  wide: gate(wide),
});

/** Makes a pair of a setting with one value. */
function ofValue(key: string, narrow: unknown, wide: unknown): Pair {
  const settings = (value: unknown) => set({}, key, value);
  return ofGate(key, settings(narrow), settings(wide));
}

const HOUR_AGO = new Date(Date.now() - 3_600_000).toISOString();
const PORTAL = 'https://portal.example.com';
const RULE = { plugin: 'hello', path: '/data' };
const ONLY = [{ plugin: 'hello', path: '/ok' }];
const RULES = 'allow[].{plugin,path,methods,until}';
const TOKENS =
  'auth.apiGate.tokens[].{subject,until,only[].plugin,only[].path,only[].methods}';

export const CI = 'ci-token-of-this-test';

/** Makes a pair of entries for one subject. */
function limitOfCi(narrow: JsonObject[], wide: JsonObject[]): Pair {
  const [before, after] = [narrow, wide].map(entries => ({
    ...accessWith(staticToken(CI, 'ci')),
    ...gate({
      tokens: entries.map(entry => ({ subject: 'ci', only: 'all', ...entry })),
    }),
  }));
  return { settings: TOKENS, narrow: before, wide: after };
}

/** A subject of an issuer, which has the subjects that begin with `external:e:`. */
const OF_ISSUER = 'external:e:ci';
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
const limitOfIssuer = (narrow: JsonObject[], wide: JsonObject[]): Pair => ({
  settings: TOKENS,
  narrow: { ...accessWith(ISSUER), ...gate({ tokens: narrow }) },
  wide: { ...accessWith(ISSUER), ...gate({ tokens: wide }) },
});

/** The settings that are inputs of `judge`, as the proof has it. */
export const JUDGED: Pair[] = [
  {
    settings: 'auth.apiGate.{mode,until}',
    narrow: gate({}),
    wide: gate({ mode: 'report-only' }),
  },
  ...[[], [{ ...RULE, until: HOUR_AGO }], [{ ...RULE, methods: ['POST'] }]].map(
    (allow): Pair => ({
      settings: `auth.apiGate.${RULES}`,
      narrow: gate({ allow }),
      wide: gate({ allow: [{ ...RULE, methods: ['GET', 'POST'] }] }),
    }),
  ),
  limitOfCi([{ only: ONLY }], [{}]),
  limitOfCi([], [{ only: [RULE] }]),
  {
    ...limitOfCi([], []),
    wide: accessWith(staticToken(CI, 'ci')),
  },
  ...['/data', '/**'].map(path =>
    limitOfCi(
      [{ only: ONLY }],
      [{ only: ONLY }, { only: [{ plugin: 'hello', path }] }],
    ),
  ),
  limitOfCi([{ until: HOUR_AGO }], [{ until: '2999-01-01' }]),
  limitOfIssuer([DENIES], [{ ...DENIES, only: 'all' }]),
  limitOfIssuer([DENIES], [{ ...DENIES, only: [RULE] }]),
  limitOfIssuer([DENIES], [DENIES, { subject: 'external:e:c*', only: [RULE] }]),
  limitOfIssuer(
    [DENIES, { subject: OF_ISSUER, only: ONLY }],
    [DENIES, { subject: OF_ISSUER, only: 'all' }],
  ),
  limitOfIssuer(
    [{ ...DENIES, only: [RULE], until: HOUR_AGO }],
    [
      { ...DENIES, only: [RULE], until: HOUR_AGO },
      { subject: OF_ISSUER, only: [RULE], until: '2999-01-01' },
    ],
  ),
  ofGate('credentialHeader', {}, { credentialHeader: 'X-Credential' }),
  ofGate(
    'foreignAuthorization[].{plugin,path}',
    {},
    { foreignAuthorization: [RULE] },
  ),
  ofGate('cookie.trustedOrigins', {}, { cookie: { trustedOrigins: [PORTAL] } }),
  ofGate(
    'cookie.trustedPaths[].{plugin,path}',
    { cookie: { trustedPaths: [{ plugin: 'hello', path: '/data/below' }] } },
    { cookie: { trustedPaths: [{ plugin: 'hello', path: '/**' }] } },
  ),
];

const NO_BARRIERS = 'backend.auth.dangerouslyDisableDefaultAuthPolicy';
const noBarriers = (isSet: boolean): JsonObject => ({
  backend: { auth: { dangerouslyDisableDefaultAuthPolicy: isSet } },
});

/** The settings by which a command succeeds or not. */
export const OF_COMMANDS: Pair[] = [
  {
    settings: 'auth.apiGate.closed',
    narrow: gate({ closed: ['hello'] }),
    wide: gate({}),
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
  },
];

export const OPERATOR = 'user:default/operator';
const HOST_COOKIE = '__Host-token';
const access = (...plugins: string[]) =>
  accessWith(staticToken(CI, 'ci', ...plugins));

/** The settings of which a backend has to be asked. */
export const OF_BACKENDS: Pair[] = [
  ofGate('operators', {}, { operators: [OPERATOR] }),
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
  },
  {
    settings: 'discovery.endpoints',
    narrow: {},
    wide: discovery(7008, 'friend'),
  },
  {
    settings: 'permission.enabled',
    narrow: { permission: { enabled: true } },
    wide: {},
  },
  {
    settings:
      'auth.providers, backend.auth.dangerouslyDisableDefaultAuthPolicy, events, proxy',
    narrow: noBarriers(false),
    wide: noBarriers(true),
  },
];
