import type {
  AuthService,
  BackstageCredentials,
} from '@backstage/backend-plugin-api';
import type { GateServices } from '../GateServices';
import type { VerifiedToken } from '../judge/findRefused';
import type { Token } from '../read/token';
import { Refusal } from '../Refusal';
import type { TokenVerifier, VerifyOptions } from './TokenCache';
import { externalSubjectOf, findSessionRefusal } from './verifyToken';

/** The parts of the gate that the decorated `auth` of each plugin uses. */
export type DecoratorServices = Pick<
  GateServices,
  | 'keyEndpoints'
  | 'observer'
  | 'ownIssuer'
  | 'revocations'
  | 'source'
  | 'tokens'
>;

/**
 * A plugin's `auth`, of which `authenticate` also refuses what opens nothing any more. Backstage's `httpAuth`, the credentials barrier,
 * its listener for WebSockets and handlers verify tokens here, so that a token of a session that has ended is refused wherever it is
 * read: in a header of the plugin's own on a public path, too. The gate itself asks the {@link AuthDecorator.verifier}, since a
 * sign-out has to verify tokens of sessions that have ended.
 *
 * - The session of a user has ended: refused in report-only as well
 * - The issuer of a user's token is not trusted, or an external token is beyond its `until`: refused where the gate enforces
 *
 * `only` depends on the request, which `authenticate` does not get.
 */
export class AuthDecorator implements AuthService {
  readonly verifier: TokenVerifier;

  constructor(
    private readonly auth: AuthService,
    private readonly pluginId: string,
    private readonly services: DecoratorServices,
  ) {
    this.verifier = services.tokens.verifierFor(auth, pluginId);
  }

  /** @throws AuthenticationError for a token of an ended session; as Backstage's own `authenticate` does for any other */
  async authenticate(
    text: string,
    options?: VerifyOptions,
  ): Promise<BackstageCredentials> {
    const { keyEndpoints, observer, tokens } = this.services;
    const token = tokens.read(text);
    try {
      let credentials = this.verifier.look(token, options);
      if (!credentials) {
        // Backstage would fetch keys for each plugin that a service token names, as on `/v1/userinfo`, where the gate asks for nothing.
        await keyEndpoints.assertCallerKnown(token.claims);
        credentials = await this.verifier.find(token, options);
      }
      await this.#assertInForce(
        token,
        credentials as VerifiedToken['credentials'],
      );
      return credentials;
    } catch (error) {
      if (error instanceof Refusal) {
        observer.refusedBehind(this.pluginId, error);
        throw error.error;
      }
      throw error;
    }
  }

  /** @throws Refusal */
  async #assertInForce(
    token: Token,
    credentials: VerifiedToken['credentials'],
  ): Promise<void> {
    const { ownIssuer, revocations, source } = this.services;
    const { userToken } = token;
    if (userToken && !revocations.isLoaded) {
      // A browser loses Backstage's cookie if `httpAuth` throws in the seconds after a start.
      await revocations.firstReading();
    }
    const ended = findSessionRefusal(token, this.services);
    const { current: policy } = source;
    const { isEnforced, tokenLimits } = policy;
    if (ended && (ended.holdsInReportOnly || isEnforced)) {
      throw ended;
    }
    if (!isEnforced) {
      return;
    }
    if (!(await ownIssuer.trusts(userToken))) {
      throw Refusal.because('untrusted-issuer');
    }
    const subject = externalSubjectOf({ credentials, token });
    if (subject !== undefined && tokenLimits.hasEnded(subject, policy.now())) {
      throw Refusal.because('token-ended').of(subject);
    }
  }

  getLimitedUserToken: AuthService['getLimitedUserToken'] = credentials =>
    this.auth.getLimitedUserToken(credentials);

  getNoneCredentials: AuthService['getNoneCredentials'] = () =>
    this.auth.getNoneCredentials();

  getOwnServiceCredentials: AuthService['getOwnServiceCredentials'] = () =>
    this.auth.getOwnServiceCredentials();

  getPluginRequestToken: AuthService['getPluginRequestToken'] = options =>
    this.auth.getPluginRequestToken(options);

  isPrincipal = ((credentials, type) =>
    this.auth.isPrincipal(credentials, type)) as AuthService['isPrincipal'];

  listPublicServiceKeys: AuthService['listPublicServiceKeys'] = () =>
    this.auth.listPublicServiceKeys();
}
