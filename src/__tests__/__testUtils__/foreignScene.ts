import proxyPlugin from '@backstage/plugin-proxy-backend';
import type { JsonObject } from '@backstage/types';
import type { Request, Response } from 'express';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { merge } from 'lodash';
import { createForge, hmac } from './forge';
import { recordingPlugin } from './recordingPlugin';
import { SignedBackendOptions, signedBackends } from './signedBackends';

/** The header that holds the Backstage token. */
export const HEADER = 'X-Backstage-Token';
/** The `Authorization` that browsers send for an ingress with a password of its own. */
export const BASIC = 'Basic aW5ncmVzczpwYXNz';

const LEGACY_SECRET = 'bGVnYWN5LXNlY3JldA==';
const ISSUER = 'https://sso.example.com';

const settings: JsonObject = {
  credentialHeader: HEADER,
  foreignAuthorization: [
    { plugin: 'proxy', path: '/foreign/**' },
    { plugin: 'hello', path: '/foreign/**' },
  ],
  allow: [
    { plugin: 'hello', path: '/open' },
    { plugin: 'proxy', path: '/open/**' },
  ],
};

/** The line of a token in the credential header. */
export const inHeader = (token: string) => `${HEADER}: ${token}`;
export const authorization = (value: string) => `Authorization: ${value}`;

/** A request as it arrived at the target of the proxy, or at a handler of `hello`. */
interface Arrived {
  headers: IncomingHttpHeaders;
  rawHeaders: string[];
  /** The users, or the subjects, of `httpAuth.credentials(req)`, without and with limited access. */
  principals?: unknown[];
}

/**
 * Starts a backend with `credentialHeader` and `foreignAuthorization`. The plugin `hello` and the real proxy plugin have a foreign
 * path `/foreign/**` each; the proxy's endpoints `/forward` and `/plain` are not foreign, and `/open` is public.
 */
export async function startForeignScene(
  backends: ReturnType<typeof signedBackends>,
  { apiGate, config, features = [], ...options }: SignedBackendOptions = {},
) {
  const arrived: Arrived[] = [];
  const record = ({ headers, rawHeaders }: IncomingMessage) => ({
    headers: { ...headers },
    rawHeaders: [...rawHeaders],
  });
  const sso = createForge(backends.key, ISSUER);
  const target = await backends.serve((req, res) => {
    arrived.push(record(req));
    res.end('{}');
  });
  const keys = await backends.serve((_req, res) => {
    const key = { ...sso.publicKey.export({ format: 'jwk' }), kid: 'sso' };
    res.setHeader('Content-Type', 'application/json');
    res.end(JSON.stringify({ keys: [key] }));
  });
  const hello = recordingPlugin('hello', {
    handle: async (req: Request, res: Response, { httpAuth }) => {
      const credentials = [
        await httpAuth.credentials(req),
        await httpAuth.credentials(req, { allowLimitedAccess: true }),
      ];
      const principals = credentials.map(
        ({ principal }: any) => principal.userEntityRef ?? principal.subject,
      );
      arrived.push({ ...record(req), principals });
      res.json({});
    },
  });
  const backend = await backends.start({
    ...options,
    features: [hello.feature, proxyPlugin, ...features],
    apiGate: { ...settings, ...apiGate },
    config: merge(configWith(target, keys), config),
  });
  return {
    ...backend,
    ...tokensOf(backends, sso),
    arrived,
    hello,
    /** Sends a request, and returns its answer with what arrived. */
    async send(path: string, ...lines: string[]) {
      arrived.length = 0;
      const answer = await backend.get(path, ...lines);
      return { ...answer, at: arrived.at(0), arrivals: arrived.length };
    },
  };
}

function configWith(target: number, keys: number): JsonObject {
  const endpoint = { target: `http://localhost:${target}` };
  // No mistake of an operator sends the credential header anywhere.
  const allowedHeaders = ['Authorization', 'Cookie', HEADER];
  const external = (type: string, options: JsonObject) => ({ type, options });
  return {
    proxy: {
      endpoints: {
        '/foreign': { ...endpoint, allowedHeaders },
        '/forward': { ...endpoint, credentials: 'forward' },
        '/plain': { ...endpoint, allowedHeaders: [HEADER] },
        '/open': {
          ...endpoint,
          credentials: 'dangerously-allow-unauthenticated',
          allowedHeaders,
        },
      },
    },
    backend: {
      auth: {
        externalAccess: [
          external('static', { token: 'external-token', subject: 'ci' }),
          {
            ...external('static', { token: 'restricted-token', subject: 'ci' }),
            accessRestrictions: [{ plugin: 'elsewhere' }],
          },
          external('legacy', { secret: LEGACY_SECRET, subject: 'legacy' }),
          external('jwks', {
            url: `http://localhost:${keys}/`,
            issuer: ISSUER,
          }),
        ],
      },
    },
  };
}

function tokensOf(
  { key }: ReturnType<typeof signedBackends>,
  sso: ReturnType<typeof createForge>,
) {
  const claims = { sub: 'jane', aud: 'cost-management' };
  const third = createForge(key, 'https://third.example.com');
  return {
    legacyToken: sso.token({
      header: { alg: 'HS256', typ: undefined, kid: undefined },
      claims: { sub: 'backstage-server', iss: undefined, aud: undefined },
      signer: hmac(Buffer.from(LEGACY_SECRET, 'base64')),
    }),
    /** A token of the issuer whose keys `externalAccess` names. */
    jwksToken: sso.token({ header: { typ: 'JWT', kid: 'sso' }, claims }),
    /** A token of a third party, whose keys this backend does not have. */
    foreignToken: third.token({ header: { typ: 'JWT', kid: 'third' }, claims }),
  };
}
