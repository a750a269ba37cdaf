import type { Config } from '@backstage/config';
import { map, uniq } from 'lodash';
import type { ApiGateConfig } from '../../settings/read/readApiGateConfig';
import { asObject, isTrue } from '../../settings/read/values';
import {
  asList,
  createGet,
  Get,
  NO_BARRIERS,
  readProxyEndpoints,
} from '../findings/backstageSettings';
import { findOpenSignIns } from '../findings/settings';
import type { Fact } from './Fact';
import { formatRequest, formatValue, join, withoutIndices } from './format';

const GUEST = 'auth.providers.guest';

/** Lists who has power over the gate, whom it trusts, and which settings of Backstage let somebody in. */
export function findPowerFacts(gate: ApiGateConfig, root: Config): Fact[] {
  const get = createGet(root);
  const { credentialHeader, foreignAuthorization, operators, signOut } = gate;
  const powers: Record<string, (string | undefined)[]> = {
    operator: [...operators],
    'trusted origin': uniq(gate.trustedOrigins),
    'trusted path': gate.trustedPaths.map(formatPath),
    'credential header': [credentialHeader],
    'foreign Authorization': foreignAuthorization.map(formatPath),
    cookie: [formatCookie(gate.cookie)],
    'sign-out': [
      `ends ${signOut.scope === 'user' ? 'all sessions of the user' : 'the session'}`,
      ...[...signOut.providers].map(id => `by ${id}`),
    ],
    'sign-in': [
      ...findOpenSignIns({ get }).map(
        ({ at, who }) =>
          `${withoutIndices(at)} gives a valid token to everybody ${who}`,
      ),
      get(GUEST) === undefined
        ? undefined
        : `${GUEST} gives a valid token to everybody, with NODE_ENV=development`,
    ],
    'keys from': asList(get('discovery.endpoints')).map(formatEndpoint),
    permissions: [
      isTrue(get('permission.enabled'))
        ? 'permission.enabled'
        : 'every user may do everything, since permission.enabled is not true',
    ],
    'no barriers': [isTrue(get(NO_BARRIERS)) ? NO_BARRIERS : undefined],
    'OAuth clients': findOAuth(get),
    proxy: findProxies(get),
  };
  return Object.entries(powers).flatMap(([what, texts]) =>
    texts.flatMap(who => (who ? [{ kind: 'power', what, who }] : [])),
  );
}

function formatPath({ path, plugin }: { path: string; plugin: string }) {
  return formatRequest('any', plugin, path);
}

function formatCookie(cookie: ApiGateConfig['cookie']): string {
  const { attributes, enabled, maxAgeMs, name } = cookie;
  const { domain, sameSite, secure } = attributes;
  return enabled
    ? join([
        name,
        `SameSite=${sameSite}`,
        secure ? 'Secure' : 'not Secure',
        domain ? `every host of ${domain}` : 'this host',
        maxAgeMs === undefined
          ? 'as long as the token'
          : `${maxAgeMs / 1000} seconds at most`,
      ])
    : 'none';
}

/** Formats an entry of `discovery.endpoints`: the address of plugins, whose keys verify their tokens. */
function formatEndpoint(endpoint: unknown): string {
  const { plugins, target } = asObject(endpoint);
  const ids = asList(plugins).map(String).sort();
  return `${formatValue(target)} for ${ids}`;
}

/** Lists what lets clients get tokens for a user by themselves. */
function findOAuth(get: Get): string[] {
  return [
    'auth.experimentalDynamicClientRegistration.enabled',
    'auth.experimentalClientIdMetadataDocuments.enabled',
    'auth.clientIdMetadataDocuments.enabled',
    'auth.experimentalRefreshToken.enabled',
  ].filter(key => isTrue(get(key)));
}

/** Lists what the endpoints of the proxy plugin let pass without a credential, and what they hand to their targets. */
function findProxies(get: Get): string[] {
  return readProxyEndpoints(get).flatMap(endpoint => {
    const { forwardsToken, isPublic, isWebSocket, path, secrets, target } =
      endpoint;
    const at = formatRequest('any', 'proxy', path);
    const to = formatValue(target);
    return [
      isPublic && `${at} asks for no credential`,
      forwardsToken && `${at} sends the caller's Backstage token to ${to}`,
      isWebSocket && `${at} sends every WebSocket below /api to ${to}`,
      ...map(secrets, name => `${at} adds ${name} for ${to}`),
    ].filter(text => text !== false);
  });
}
