import type { Request, Response } from 'express';
import { accessWith, staticToken } from './externalAccess';
import { rawRequest } from './rawRequest';
import { express5, pluginExpress, recordingPlugin } from './recordingPlugin';
import { createSigningKey } from './signingKey';
import { startBackend } from './startBackend';

const COOKIE_ENDPOINT = '/.backstage/auth/v1/cookie';

/** Tokens that the plugin `closed` accepts. */
export const ACCEPTED = ['user', 'otherUser', 'service', 'external'] as const;
/** Tokens that no plugin of these tests accepts. */
export const REFUSED = [
  'expired',
  'foreign',
  'forged',
  'unsigned',
  'limited',
  'revoked',
  'serviceForAnother',
  'restricted',
] as const;

type TokenName = (typeof ACCEPTED)[number] | (typeof REFUSED)[number];

/** A request that reached a handler. */
export interface Reached {
  plugin: string;
  method: string;
  /** The raw target of the request line. */
  target: string;
  authorization: string | undefined;
  cookie: string | undefined;
  userEntityRef: string | undefined;
}

/**
 * Starts a backend with a token of every kind, and with these plugins: `closed`; `hello`, which has opened itself; `pub`, for
 * allow rules; `another`, which is the audience of a token. The router of `hello` is Express 4's, and those of the others are Express 5's.
 */
export async function startCredentialScene(
  options: Pick<Parameters<typeof startBackend>[0], 'features'> & {
    allow?: { plugin: string; path: string; methods?: string[] }[];
  } = {},
) {
  const { allow = [], features = [] } = options;
  const key = await createSigningKey();
  const otherKey = await createSigningKey();
  const reached: Reached[] = [];
  const pluginOf = (id: string, isOpen = false) =>
    recordingPlugin(id, {
      express: isOpen ? pluginExpress : express5,
      ...(isOpen && { policies: [{ path: '/', allow: 'unauthenticated' }] }),
      handle: (req: Request & { user?: any }, res: Response) => {
        reached.push({
          plugin: id,
          method: req.method,
          target: req.originalUrl,
          authorization: req.headers.authorization,
          cookie: req.headers.cookie,
          userEntityRef: req.user?.identity.userEntityRef,
        });
        res.json({});
      },
    });
  const closed = pluginOf('closed');
  const hello = pluginOf('hello', true);
  const pub = pluginOf('pub');
  const another = pluginOf('another');
  const backend = await startBackend({
    features: [
      ...[closed, hello, pub, another].map(({ feature }) => feature),
      ...features,
    ],
    config: {
      auth: {
        ...(key.config.auth as object),
        apiGate: { allow },
      },
      ...accessWith(
        staticToken('external-token', 'external'),
        staticToken('restricted-token', 'restricted', 'elsewhere'),
      ),
    },
  });

  const { port, url } = backend;
  const iss = `${url}/api/auth`;
  const now = Math.floor(Date.now() / 1000);
  const user = await key.sign({ iss, sub: 'user:default/user' });
  const revoked = await key.sign({ iss, iat: now - 100 });
  const encode = (value: object) =>
    Buffer.from(JSON.stringify(value)).toString('base64url');
  const stockCookie = await rawRequest(port, `/api/hello${COOKIE_ENDPOINT}`, {
    headerLines: [`Authorization: Bearer ${user}`],
  });
  const signedOut = await rawRequest(port, `/api/hello${COOKIE_ENDPOINT}`, {
    method: 'DELETE',
    headerLines: [`Cookie: token=${revoked}`],
  });
  const limited = stockCookie.headers['set-cookie']?.match(
    /backstage-auth=([^;]+)/,
  )?.[1];
  if (!limited || signedOut.status !== 204) {
    throw new Error('The backend is not as it should be');
  }
  const tokens: Record<TokenName, string> = {
    user,
    otherUser: await key.sign({ iss, sub: 'user:default/other' }),
    service: await hello.tokenFor('closed'),
    external: 'external-token',
    expired: await key.sign({ iss, iat: now - 7200, exp: now - 3600 }),
    foreign: await key.sign({ iss: 'https://other.example.com/api/auth' }),
    forged: await otherKey.sign({ iss }),
    unsigned: `${encode({ alg: 'none', typ: 'vnd.backstage.user' })}.${
      user.split('.')[1]
    }.`,
    limited,
    revoked,
    serviceForAnother: await closed.tokenFor('another'),
    restricted: 'restricted-token',
  };

  const named = new Map(Object.entries(tokens));

  return {
    log: backend.log,
    port,
    reached,
    tokens,
    /** Replaces the names of tokens by the tokens: `{user}`, its halves `{user:0}` and `{user:1}`, and with an escape `{user%}`. */
    fill: (text: string) =>
      text.replace(/\{(\w+)(%|:0|:1|)\}/g, (placeholder, name, form) => {
        const token = named.get(name);
        if (token === undefined) {
          return placeholder;
        }
        const middle = token.length / 2;
        switch (form) {
          case '%':
            return `%${token.charCodeAt(0).toString(16)}${token.slice(1)}`;
          case ':0':
            return token.slice(0, middle);
          case ':1':
            return token.slice(middle);
          default:
            return token;
        }
      }),
    async stop() {
      await backend.stop();
      await key.remove();
      await otherKey.remove();
    },
  };
}
