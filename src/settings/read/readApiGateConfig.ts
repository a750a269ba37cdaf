import { Config } from '@backstage/config';
import { AllowRule, PLUGIN_ID } from '../../gate/rules/AllowRule';
import { userKey } from '../../gate/sessions/Revocation';
import { isFullEntityRef } from '../entityRef';
import { assertPlace } from './assertPlace';
import { readAcceptedFindings } from './readAcceptedFindings';
import { readAll, readEach } from './mistakes';
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
import { checkExternalSubjects } from './readExternalTokens';
import {
  assertNotPublic,
  readCredentialHeader,
  readForeignAuthorization,
} from './readForeignAuthorization';
import { readTokens } from './readTokens';

export const CONFIG_KEY = 'auth.apiGate';

export const KEYS = [
  'mode',
  'until',
  'allow',
  'closed',
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
  /** Whether the backend is on the legacy system. Default: false. */
  isLegacy?: boolean;
  /** Whether the guest provider signs in as in development. Default: as the process has it. */
  isDevelopment?: boolean;
}

/** The configuration of the gate, checked and with its defaults. `GateSettings` explains the settings that requests are decided by. */
export type ApiGateConfig = ReturnType<typeof readApiGateConfig>;

/**
 * Reads `auth.apiGate`.
 *
 * @throws Mistakes
 */
export function readApiGateConfig(
  rootConfig: Config,
  {
    isLegacy,
    isDevelopment = process.env.NODE_ENV === 'development',
  }: ReadOptions = {},
) {
  const block = rootConfig.getOptional(CONFIG_KEY) ?? {};
  const settings: { [key in (typeof KEYS)[number]]?: unknown } =
    asObject(block);
  const read =
    <T, A extends unknown[]>(
      key: (typeof KEYS)[number],
      reader: (value: unknown, path: string, ...facts: A) => T,
      ...facts: A
    ) =>
    () =>
      reader(settings[key], `${CONFIG_KEY}.${key}`, ...facts);
  const backend = readBaseUrl(
    rootConfig.getString('backend.baseUrl'),
    'backend.baseUrl',
  );
  const { cookie, mode, place, ...values } = readAll({
    place: () =>
      readEach([
        () => assertPlace(rootConfig),
        () => checkExternalSubjects(rootConfig),
        () => readObject(block, CONFIG_KEY, KEYS),
      ]),
    mode: () => readMode(settings, CONFIG_KEY),
    allow: read('allow', readAllowRules, rootConfig),
    closed: read('closed', readClosed),
    credentialHeader: read('credentialHeader', readCredentialHeader),
    foreignAuthorization: read(
      'foreignAuthorization',
      readForeignAuthorization,
    ),
    tokens: read('tokens', readTokens, rootConfig, isLegacy),
    cookie: read('cookie', readCookie, rootConfig, backend, isDevelopment),
    signOut: read('signOut', readSignOutSettings, rootConfig),
    /** Entity references, in lower case, of those who may end the sessions of others and read the policy, as services may. */
    operators: read('operators', readEntityRefs),
    audit: read('audit', readAudit),
    acceptedFindings: read('findings', readAcceptedFindings),
  });
  const { allow, closed, foreignAuthorization } = values;
  const foreignPath = `${CONFIG_KEY}.foreignAuthorization`;
  readEach([
    () => assertClosed(closed, allow),
    () => assertNotPublic(foreignAuthorization, foreignPath, allow),
  ]);
  return {
    ...mode,
    ...cookie,
    ...values,
    backendOrigin: backend.origin,
    mcpPaths: readMcpPaths(rootConfig),
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

/** Reads the ids of plugins of which no rule may open anything. */
function readClosed(value: unknown, path: string): string[] {
  return readStringList(value, path, {
    isValid: id => PLUGIN_ID.test(id),
    description: 'the id of a plugin in lower case, such as catalog',
  });
}

/** @throws InputError if an allow rule opens something of a plugin in `closed` */
function assertClosed(
  closed: readonly string[],
  allow: readonly AllowRule[],
): void {
  const path = `${CONFIG_KEY}.closed`;
  readEach(
    allow.map(
      ({ plugin }, i) =>
        () =>
          check(
            !closed.includes(plugin),
            `${CONFIG_KEY}.allow[${i}] opens a path of the plugin ${plugin}, which ${path} has: remove the rule, or the plugin from ${path}`,
          ),
    ),
  );
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
