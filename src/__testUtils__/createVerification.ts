import type { HttpAuthService } from '@backstage/backend-plugin-api';
import { AuthenticationError } from '@backstage/errors';
import { tokenTypes } from '@backstage/plugin-auth-node';
import type { Request } from 'express';
import { NegativeTokenCache } from '../credentials/NegativeTokenCache';
import { readBearer } from '../credentials/readCredential';
import { decodeToken } from '../credentials/token';
import { TokenCache } from '../credentials/TokenCache';
import type { VerifyOptions } from '../credentials/verifyCredential';
import { Refusal } from '../decision/Refusal';

type Principals = Map<string, object | Error>;

/** Creates the services that verification needs, without keys and without a server: the test names the tokens that verify. */
export function createVerification(ownIssuer: string) {
  const state = {
    /** The answer of all key endpoints. */
    hasKeys: true,
    /** Whether the keys of users have been there only since a moment ago. */
    isKeyNew: false,
    /** The principal of each token that is valid for the plugin `hello`, or the error of an invalid one. */
    tokens: new Map() as Principals,
    /** The ids of the plugins that were asked to verify a token. */
    asked: [] as string[],
    /** Whether the plugin `hello` is starting. */
    isStarting: false,
    /** The start of the `auth` plugin. */
    userKeysStarted: undefined as Promise<void> | undefined,
    /** Other plugins, with their tokens. */
    others: [] as ReturnType<typeof createPlugin>[],
  };

  function createPlugin(id: string, tokens: Principals) {
    const credentials = async (
      req: Request,
      { allowLimitedAccess = false }: { allowLimitedAccess?: boolean },
    ) => {
      state.asked.push(id);
      const token = readBearer(req) ?? '';
      const isLimited =
        decodeToken(token)?.typ === tokenTypes.limitedUser.typParam;
      const principal = tokens.get(token);
      if (!principal || (isLimited && !allowLimitedAccess)) {
        throw new AuthenticationError('Unknown');
      }
      if (principal instanceof Error) {
        throw principal;
      }
      return { principal };
    };
    const httpAuth = { credentials } as unknown as HttpAuthService;
    const httpAuthFor = () => {
      if (state.isStarting && id === 'hello') {
        throw Refusal.starting();
      }
      return httpAuth;
    };
    return { id, httpAuthFor };
  }

  const plugin = createPlugin('hello', state.tokens);
  const services = {
    plugins: {
      all: () => [plugin, ...state.others],
      anyRegistered: () => ({ ...plugin, discovery: {} }),
      userKeysStarted: () => state.userKeysStarted,
    },
    invalidTokens: new NegativeTokenCache(),
    keyEndpoints: {
      assertCallerKnown: () => undefined,
      hasKeysOf: async () => {
        if (!state.hasKeys) {
          throw Refusal.keysUnavailable;
        }
        if (state.isKeyNew) {
          throw Refusal.newKey;
        }
        return true;
      },
      observe: () => {},
    },
    ownIssuer: { get: () => ownIssuer },
    tokens: new TokenCache({ ttlMs: 0 }),
    issuerClock: { observe: () => {} },
  } as unknown as VerifyOptions;
  return Object.assign(state, { plugin, services, createPlugin });
}
