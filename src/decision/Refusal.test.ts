import { Refusal } from './Refusal';

const invalid = 'Bearer realm="Backstage", error="invalid_token"';

describe('Refusal', () => {
  it.each<[Refusal, string, string]>([
    [
      Refusal.missingCredentials,
      'missing-credentials',
      'AuthenticationError: Missing credentials',
    ],
    [
      Refusal.unsupportedScheme,
      'unsupported-scheme',
      'AuthenticationError: The Authorization header must hold a bearer token',
    ],
    [
      Refusal.tooManyTokens,
      'too-many-tokens',
      'AuthenticationError: A WebSocket may offer at most five tokens',
    ],
    [
      Refusal.conflictingCookies,
      'conflicting-cookies',
      'AuthenticationError: More than one value for one cookie',
    ],
    // All three have the same answer, so that a caller cannot find out why.
    [
      Refusal.invalidToken,
      'invalid-token',
      'AuthenticationError: Invalid credentials',
    ],
    [
      Refusal.untrustedIssuer,
      'untrusted-issuer',
      'AuthenticationError: Invalid credentials',
    ],
    [Refusal.revoked, 'revoked', 'AuthenticationError: Invalid credentials'],
    [
      Refusal.repeatedAuthorization,
      'repeated-authorization',
      'InputError: More than one Authorization header',
    ],
    [
      Refusal.crossSite,
      'cross-site',
      'NotAllowedError: Pages of other sites may not use the cookie; auth.apiGate.cookie.trustedOrigins names those that may',
    ],
    [
      Refusal.unsafeDestination,
      'unsafe-destination',
      'NotAllowedError: The cookie opens no scripts, styles and workers; auth.apiGate.cookie.trustedPaths names the paths where it does',
    ],
    [Refusal.restricted('Not here'), 'restricted', 'NotAllowedError: Not here'],
    [
      Refusal.keysUnavailable,
      'keys-unavailable',
      'ServiceUnavailableError: Credentials can not be verified at the moment',
    ],
    [
      Refusal.revocationsUnavailable,
      'revocations-unavailable',
      'ServiceUnavailableError: Credentials can not be judged yet',
    ],
    [
      Refusal.signOutNotStored,
      'sign-out-not-stored',
      'ServiceUnavailableError: Signed out at this replica; the others follow once the database is back',
    ],
    [
      Refusal.signOutIncomplete,
      'sign-out-incomplete',
      'ServiceUnavailableError: Signed out, except that OAuth clients keep their refresh tokens until the auth plugin can be reached',
    ],
    [
      Refusal.failed,
      'failed',
      'ServiceUnavailableError: Credentials can not be judged',
    ],
    [
      Refusal.starting(),
      'starting',
      'ServiceUnavailableError: Service has not started up yet',
    ],
    [
      Refusal.starting('Stopping'),
      'starting',
      'ServiceUnavailableError: Stopping',
    ],
  ])('%s: %s is %s', (refusal, reason, error) => {
    const [status, headers] = {
      InputError: [
        400,
        {
          'WWW-Authenticate':
            'Bearer realm="Backstage", error="invalid_request"',
        },
      ],
      AuthenticationError: [
        401,
        {
          'WWW-Authenticate':
            reason === 'missing-credentials'
              ? 'Bearer realm="Backstage"'
              : invalid,
        },
      ],
      NotAllowedError: [403, {}],
      ServiceUnavailableError: [503, { 'Retry-After': '5' }],
    }[refusal.error.name] as [number, object];
    expect(refusal).toBeInstanceOf(Error);
    expect(refusal.message).toBe(reason);
    expect(refusal.reason).toBe(reason);
    expect(String(refusal.error)).toBe(error);
    expect(refusal.isFinal).toBe(error.startsWith('AuthenticationError'));
    expect(refusal.status).toBe(status);
    expect(refusal.headersFor('0123456789abcdef')).toEqual({
      ...headers,
      'Api-Gate-Decision': '0123456789abcdef',
    });
  });

  it('points to the metadata of a resource with a 401 only', () => {
    const challengeOf = (refusal: Refusal) =>
      refusal.headersFor('0', 'https://example.com/metadata')[
        'WWW-Authenticate'
      ];
    const metadata = 'resource_metadata="https://example.com/metadata"';
    expect(challengeOf(Refusal.invalidToken)).toBe(`${invalid}, ${metadata}`);
    expect(challengeOf(Refusal.missingCredentials)).toBe(
      `Bearer realm="Backstage", ${metadata}`,
    );
    expect(challengeOf(Refusal.crossSite)).toBeUndefined();
    expect(challengeOf(Refusal.keysUnavailable)).toBeUndefined();
    expect(challengeOf(Refusal.repeatedAuthorization)).toBe(
      'Bearer realm="Backstage", error="invalid_request"',
    );
  });

  it('of a token that has verified has its subject, and is the same else', () => {
    const refusal = Refusal.revoked.of('user:default/a');
    expect(refusal).toBeInstanceOf(Refusal);
    expect(refusal.subject).toBe('user:default/a');
    expect(refusal.reason).toBe('revoked');
    expect(refusal.isFinal).toBe(true);
    expect(refusal.error).toBe(Refusal.revoked.error);
    expect(Refusal.revoked.subject).toBeUndefined();
  });

  it.each(Object.entries(Refusal.invalid))(
    'of an invalid token has the detail %s, and the same answer',
    (detail, refusal) => {
      expect(refusal).toBeInstanceOf(Refusal);
      expect(refusal.detail).toBe(detail);
      expect(refusal.reason).toBe('invalid-token');
      expect(refusal.error).toBe(Refusal.invalidToken.error);
      expect(refusal.headersFor('0')).toEqual(
        Refusal.invalidToken.headersFor('0'),
      );
      expect(Refusal.invalidToken.detail).toBeUndefined();
    },
  );

  it('of a new key gives the answer of keys that are not available', () => {
    const { newKey, keysUnavailable } = Refusal;
    expect([newKey.reason, newKey.detail, newKey.status]).toEqual([
      'keys-unavailable',
      'new-key',
      503,
    ]);
    expect(newKey.error).toBe(keysUnavailable.error);
    expect(newKey.headersFor('0')).toEqual(keysUnavailable.headersFor('0'));
  });

  it('has no stack, which would be that of the module', () => {
    expect(Refusal.revoked.error.stack).toBe(String(Refusal.revoked.error));
    expect(Refusal.restricted('not here').error.stack).toBe(
      'NotAllowedError: not here',
    );
  });
});
