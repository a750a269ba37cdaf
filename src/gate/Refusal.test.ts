import { ServiceUnavailableError } from '@backstage/errors';
import { Refusal, RefusalReason, refuseUndecided, toRefusal } from './Refusal';

const invalid = 'Bearer realm="Backstage", error="invalid_token"';

describe('Refusal', () => {
  it.each<[reason: RefusalReason, error: string, message?: string]>([
    ['missing-credentials', 'AuthenticationError: Missing credentials'],
    [
      'unsupported-scheme',
      'AuthenticationError: The Authorization header must hold a bearer token',
    ],
    [
      'too-many-tokens',
      'AuthenticationError: A WebSocket may offer at most five tokens',
    ],
    [
      'conflicting-cookies',
      'AuthenticationError: More than one value for one cookie',
    ],
    // These have the same answer, so that a caller cannot find out why.
    ['invalid-token', 'AuthenticationError: Invalid credentials'],
    ['untrusted-issuer', 'AuthenticationError: Invalid credentials'],
    ['revoked', 'AuthenticationError: Invalid credentials'],
    ['token-ended', 'AuthenticationError: Invalid credentials'],
    [
      'repeated-authorization',
      'InputError: More than one Authorization header',
    ],
    [
      'cross-site',
      'NotAllowedError: Pages of other sites may not use the cookie; auth.apiGate.cookie.trustedOrigins names those that may',
    ],
    [
      'unsafe-destination',
      'NotAllowedError: The cookie opens no scripts, styles and workers; auth.apiGate.cookie.trustedPaths names the paths where it does',
    ],
    ['restricted', 'NotAllowedError: Not here', 'Not here'],
    [
      'keys-unavailable',
      'ServiceUnavailableError: Credentials can not be verified at the moment',
    ],
    [
      'revocations-unavailable',
      'ServiceUnavailableError: Credentials can not be checked yet',
    ],
    [
      'sign-out-not-stored',
      'ServiceUnavailableError: Signed out at this replica; the others follow once the database is back',
    ],
    [
      'sign-out-incomplete',
      'ServiceUnavailableError: Signed out, except that OAuth clients keep their refresh tokens until the auth plugin can be reached',
    ],
    ['failed', 'ServiceUnavailableError: Credentials can not be checked'],
    ['starting', 'ServiceUnavailableError: Service has not started up yet'],
    ['starting', 'ServiceUnavailableError: Stopping', 'Stopping'],
  ])('%s is %s', (...[reason, error, message]) => {
    const refusal = message
      ? new Refusal(reason, { message })
      : Refusal.because(reason);
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
    expect(challengeOf(Refusal.because('invalid-token'))).toBe(
      `${invalid}, ${metadata}`,
    );
    expect(challengeOf(Refusal.because('missing-credentials'))).toBe(
      `Bearer realm="Backstage", ${metadata}`,
    );
    expect(challengeOf(Refusal.because('cross-site'))).toBeUndefined();
    expect(challengeOf(Refusal.because('keys-unavailable'))).toBeUndefined();
    expect(challengeOf(Refusal.because('repeated-authorization'))).toBe(
      'Bearer realm="Backstage", error="invalid_request"',
    );
  });

  it('of a token that has verified has its subject, and is the same else', () => {
    const refusal = Refusal.because('revoked').of('user:default/a');
    expect(refusal).toBeInstanceOf(Refusal);
    expect(refusal.subject).toBe('user:default/a');
    expect(refusal.reason).toBe('revoked');
    expect(refusal.isFinal).toBe(true);
    expect(refusal.error).toBe(Refusal.because('revoked').error);
    expect(Refusal.because('revoked').subject).toBeUndefined();
  });

  it.each([
    ['invalid-token', 'expired'],
    ['invalid-token', 'malformed'],
    ['invalid-token', 'audience'],
    ['invalid-token', 'unknown-key'],
    ['invalid-token', 'signature'],
    ['keys-unavailable', 'new-key'],
  ] as const)(
    'because of %s has the detail %s, and the same answer',
    (reason, detail) => {
      const refusal = Refusal.because(reason, detail);
      const plain = Refusal.because(reason);
      expect(refusal).toBeInstanceOf(Refusal);
      expect(refusal).toBe(Refusal.because(reason, detail));
      expect(refusal.detail).toBe(detail);
      expect(plain.detail).toBeUndefined();
      expect(refusal.reason).toBe(reason);
      expect(refusal.error).toEqual(plain.error);
      expect(refusal.headersFor('0')).toEqual(plain.headersFor('0'));
    },
  );

  it('has no stack, which would be that of another request', () => {
    expect(Refusal.because('revoked').error.stack).toBe(
      String(Refusal.because('revoked').error),
    );
    expect(new Refusal('restricted', { message: 'not here' }).error.stack).toBe(
      'NotAllowedError: not here',
    );
  });
});

describe('toRefusal', () => {
  const error = jest.fn();
  const logger = { error } as never;
  beforeEach(() => error.mockReset());

  it('returns a refusal as it is, and logs nothing', () => {
    expect(toRefusal(Refusal.because('cross-site'), logger)).toBe(
      Refusal.because('cross-site'),
    );
    expect(error).not.toHaveBeenCalled();
  });

  it('returns the refusal of a backend that starts, in its words', () => {
    const refusal = toRefusal(new ServiceUnavailableError('wait'), logger);
    expect([refusal.reason, refusal.error.message]).toEqual([
      'starting',
      'wait',
    ]);
    expect(error).not.toHaveBeenCalled();
  });

  it.each([
    new TypeError('unexpected'),
    // This is no error, though it has the name of one.
    { name: 'ServiceUnavailableError' },
    undefined,
  ])('logs %p, and returns the refusal of a failure', thrown => {
    expect(toRefusal(thrown, logger)).toBe(Refusal.because('failed'));
    expect(error.mock.calls).toEqual([
      ['API gate failed to decide about a request', thrown],
    ]);
  });
});

describe('refuseUndecided', () => {
  const logger = { info: jest.fn(), error: jest.fn() };
  beforeEach(() => jest.resetAllMocks());

  it('logs the id that it returns, with the reason', () => {
    const decision = refuseUndecided(
      Refusal.because('starting'),
      logger as never,
    );
    expect(decision).toMatch(/^[0-9a-f]{16}$/);
    expect(logger.info.mock.calls).toEqual([
      ['API gate refused a request', { reason: 'starting', decision }],
    ]);
    expect(logger.error).not.toHaveBeenCalled();
  });

  it('logs the type of an error and not its text, which may hold anything', () => {
    const error = new TypeError('secret');
    const decision = refuseUndecided(
      Refusal.because('failed'),
      logger as never,
      error,
    );
    const fields = { reason: 'failed', decision, errorType: 'TypeError' };
    expect(logger.error.mock.calls).toEqual([
      ['API gate refused a request', fields],
    ]);
  });

  it('returns an id if the log fails', () => {
    logger.info.mockImplementation(() => {
      throw new Error('The disk is full');
    });
    expect(
      refuseUndecided(Refusal.because('starting'), logger as never),
    ).toHaveLength(16);
  });
});
