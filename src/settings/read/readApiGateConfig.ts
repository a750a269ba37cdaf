import { Config } from '@backstage/config';
import { userKey } from '../../gate/sessions/Revocation';
import { isFullEntityRef } from '../entityRef';
import { assertPlace } from './assertPlace';
import { readAcceptedFindings } from './readAcceptedFindings';
import { readAllowRules } from './readAllowRules';
import {
  asObject,
  check,
  checkOneOf,
  readBaseUrl,
  readBoolean,
  readInstant,
  readObject,
  readStringList,
} from './values';
import { readCookie } from './readCookieSettings';
import { readExpectations } from './readExpectations';
import { checkExternalSubjects } from './readExternalTokens';
import {
  readCredentialHeader,
  readForeignAuthorization,
} from './readForeignAuthorization';
import { readTokens } from './readTokens';

export const CONFIG_KEY = 'auth.apiGate';

export const KEYS = [
  'mode',
  'until',
  'allow',
  'expect',
  'credentialHeader',
  'foreignAuthorization',
  'tokens',
  'cookie',
  'signOut',
  'operators',
  'audit',
  'findings',
] as const;

/** Facts about the backend that its configuration does not have. */
export interface ReadOptions {
  /** Ids of the plugins of this backend, and of those that it knows; `undefined` where they are not known. */
  knownPlugins?: ReadonlySet<string>;
  /** Whether the backend is on the legacy system. Default: false. */
  isLegacy?: boolean;
}

/** The configuration of the gate, checked and with its defaults. `GateSettings` explains the settings that requests are decided by. */
export type ApiGateConfig = ReturnType<typeof readApiGateConfig>;

/** Reads `auth.apiGate`. Whether its expectations hold is checked by `readPolicyConfig`. */
export function readApiGateConfig(
  rootConfig: Config,
  { knownPlugins, isLegacy }: ReadOptions = {},
) {
  assertPlace(rootConfig);
  checkExternalSubjects(rootConfig);
  const block = rootConfig.getOptional(CONFIG_KEY) ?? {};
  const settings = readObject(block, CONFIG_KEY, KEYS);
  const read = <T, A extends unknown[]>(
    key: (typeof KEYS)[number],
    reader: (value: unknown, path: string, ...facts: A) => T,
    ...facts: A
  ) => reader(settings[key], `${CONFIG_KEY}.${key}`, ...facts);
  const backend = readBaseUrl(
    rootConfig.getString('backend.baseUrl'),
    'backend.baseUrl',
  );
  const allow = read('allow', readAllowRules, rootConfig);
  return {
    ...readMode(settings, CONFIG_KEY),
    allow,
    /** Requests that must be public or closed with these rules. */
    expect: read('expect', readExpectations, knownPlugins),
    credentialHeader: read('credentialHeader', readCredentialHeader),
    foreignAuthorization: read(
      'foreignAuthorization',
      readForeignAuthorization,
      allow,
    ),
    tokens: read('tokens', readTokens, rootConfig, isLegacy),
    ...read('cookie', readCookie, rootConfig, backend),
    backendOrigin: backend.origin,
    signOut: read('signOut', readSignOutSettings, rootConfig),
    /** Entity references, in lower case, of those who may end the sessions of others and read the policy, as services may. */
    operators: read('operators', readEntityRefs),
    mcpPaths: readMcpPaths(rootConfig),
    audit: read('audit', readAudit),
    acceptedFindings: read('findings', readAcceptedFindings),
  };
}

function readMode(
  { mode = 'enforce', until }: { mode?: unknown; until?: unknown },
  path: string,
) {
  checkOneOf(mode, `${path}.mode`, ['enforce', 'report-only']);
  const end = readInstant(until, `${path}.until`);
  check(
    end === undefined || mode === 'report-only',
    `${path}.until says when report-only ends: remove it, or set ${path}.mode to report-only`,
  );
  return { mode, until: end };
}

function readEntityRefs(value: unknown, path: string): ReadonlySet<string> {
  const refs = readStringList(value, path, {
    isValid: isFullEntityRef,
    description:
      'a full entity reference, such as group:default/platform or user:default/jane',
  });
  return new Set(refs.map(userKey));
}

function readAudit(value: unknown, path: string) {
  const { clientAddress } = readObject(value ?? {}, path, ['clientAddress']);
  return {
    clientAddress: readBoolean(clientAddress, `${path}.clientAddress`, false),
  };
}

function readSignOutSettings(value: unknown, path: string, rootConfig: Config) {
  const keys = ['scope', 'providers'] as const;
  const settings = readObject(value ?? {}, path, keys);
  const { scope = 'session', providers } = settings;
  checkOneOf(scope, `${path}.scope`, ['session', 'user']);
  const configured = asObject(rootConfig.getOptional('auth.providers'));
  const ids = [
    ...Object.keys(configured).filter(id => signsUsersIn(configured[id])),
    ...readStringList(providers, `${path}.providers`),
  ];
  return {
    scope,
    providers: new Set(ids.map(id => id.toLowerCase())),
  };
}

/** Returns whether a provider has `signIn`, in its settings or one level below, per environment. Others connect accounts. */
function signsUsersIn(provider: unknown): boolean {
  const settings = asObject(provider);
  return [settings, ...Object.values(settings)].some(
    level => asObject(level).signIn !== undefined,
  );
}

/**
 * Reads the paths at which the plugin `mcp-actions` serves RFC 9728 metadata for what is below it: `/v1` and each named
 * server's, and none where it serves none. The condition is the plugin's own, and its settings are experimental: this function
 * alone reads them. A value of a wrong type is the plugin's to refuse.
 */
function readMcpPaths(rootConfig: Config): ReadonlySet<string> {
  const read = (key: string) => rootConfig.getOptional(key);
  const documents =
    read('auth.clientIdMetadataDocuments') === undefined
      ? 'auth.experimentalClientIdMetadataDocuments'
      : 'auth.clientIdMetadataDocuments';
  const hasOAuthClients =
    read('auth.experimentalDynamicClientRegistration.enabled') === true ||
    read(`${documents}.enabled`) === true ||
    read('auth.staticClients') !== undefined;
  const servers = Object.keys(asObject(asObject(read('mcpActions')).servers));
  return new Set(
    hasOAuthClients ? ['/v1', ...servers.map(each => `/v1/${each}`)] : [],
  );
}
