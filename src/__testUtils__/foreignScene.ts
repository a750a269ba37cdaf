import proxyPlugin from '@backstage/plugin-proxy-backend';
import type { JsonObject } from '@backstage/types';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { merge } from 'lodash';
import { createForge, hmac } from './forge';
import { recordingPlugin } from './recordingPlugin';
import { SignedBackendOptions, signedBackends } from './signedBackends';

/** The header that holds the Backstage token. */
export const HEADER = 'X-Backstage-Token';
/** What an ingress with a password of its own makes browsers send. */
export const BASIC = 'Basic aW5ncmVzczpwYXNz';

const LEGACY_SECRET = 'bGVnYWN5LXNlY3JldA==';

/** A request as it arrived at the target of the proxy, or at a handler of `hello`. */
export interface Arrived {
  at: 'target' | 'hello';
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
  const port = await backends.serve((req, res) => {
    arrived.push({ at: 'target', ...record(req) });
    res.end('{}');
  });
  const keysPort = await backends.serve((_req, res) => {
    res.setHeader('Content-Type', 'application/json');
    res.end(
      JSON.stringify({
        keys: [{ ...forge.publicKey.export({ format: 'jwk' }), kid: 'sso' }],
      }),
    );
  });
  const hello = recordingPlugin('hello', {
    handle: async (req, res, { httpAuth }) => {
      const principals = [
        await httpAuth.credentials(req),
        await httpAuth.credentials(req, { allowLimitedAccess: true }),
      ].map(
        ({ principal }: any) => principal.userEntityRef ?? principal.subject,
      );
      arrived.push({ at: 'hello', ...record(req), principals });
      res.json({});
    },
  });
  const endpoint = { target: `http://localhost:${port}` };
  // No mistake of an operator sends the credential header anywhere.
  const allowedHeaders = ['Authorization', 'Cookie', HEADER];
  const issuer = 'https://sso.example.com';
  const external = (token: string, more: JsonObject = {}) => ({
    type: 'static',
    options: { token, subject: 'ci' },
    ...more,
  });
  const backend = await backends.start({
    ...options,
    features: [hello.feature, proxyPlugin, ...features],
    apiGate: {
      credentialHeader: HEADER,
      foreignAuthorization: [
        { plugin: 'proxy', path: '/foreign/**' },
        { plugin: 'hello', path: '/foreign/**' },
      ],
      allow: [
        { plugin: 'hello', path: '/open' },
        { plugin: 'proxy', path: '/open/**' },
      ],
      ...apiGate,
    },
    config: merge(
      {
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
              external('external-token'),
              external('restricted-token', {
                accessRestrictions: [{ plugin: 'elsewhere' }],
              }),
              {
                type: 'legacy',
                options: { secret: LEGACY_SECRET, subject: 'legacy' },
              },
              {
                type: 'jwks',
                options: { url: `http://localhost:${keysPort}/`, issuer },
              },
            ],
          },
        },
      },
      config,
    ),
  });
  const forge = createForge(backends.key, issuer);
  return {
    ...backend,
    arrived,
    hello,
    legacyToken: forge.token({
      header: { alg: 'HS256', typ: undefined, kid: undefined },
      claims: { sub: 'backstage-server', iss: undefined, aud: undefined },
      signer: hmac(Buffer.from(LEGACY_SECRET, 'base64')),
    }),
    /** A token of the issuer whose keys `externalAccess` names. */
    jwksToken: forge.token({
      header: { typ: 'JWT', kid: 'sso' },
      claims: { sub: 'jane', aud: 'cost-management' },
    }),
    /** A token of a third party, whose keys this backend does not have. */
    foreignToken: createForge(backends.key, 'https://third.example.com').token({
      header: { typ: 'JWT', kid: 'third' },
      claims: { sub: 'jane', aud: 'cost-management' },
    }),
    /** Sends a request, and returns its answer with what arrived. */
    async send(target: string, ...lines: string[]) {
      arrived.length = 0;
      const answer = await backend.get(target, ...lines);
      return { ...answer, at: arrived.at(0), arrivals: arrived.length };
    },
  };
}

/** The line of a token in the credential header. */
export const inHeader = (token: string) => `${HEADER}: ${token}`;
export const authorization = (value: string) => `Authorization: ${value}`;
