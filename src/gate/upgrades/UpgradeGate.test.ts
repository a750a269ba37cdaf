import { ServiceUnavailableError } from '@backstage/errors';
import {
  createUpgradeServices,
  sessionOf,
  upgradeRequest,
  userTokenOf,
} from '../../__tests__/__testUtils__/upgradeServices';

const JANE = 'user:default/jane';
const ENDED = 'user:default/ended';
const [jane, ended] = [JANE, ENDED].map(userTokenOf);
const tokens = {
  [jane]: { type: 'user', userEntityRef: JANE },
  [ended]: { type: 'user', userEntityRef: ENDED },
};
const rule = { plugin: 'live', path: '/ws', methods: ['WEBSOCKET'] };
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const cookie = (token: string) => ({
  cookie: `a=1; token=${token}`,
  origin: 'https://backstage.example.com',
});

const create = (options: Parameters<typeof createUpgradeServices>[0] = {}) =>
  createUpgradeServices({ tokens, revoked: [ENDED], ...options });

/** The start of a plugin that fails. */
function failing(error: Error): Promise<void> {
  const started = Promise.reject(error);
  started.catch(() => {});
  return started;
}

describe('UpgradeGate', () => {
  it.each([
    ['a bearer token', bearer(jane), 'bearer'],
    ['the cookie', cookie(jane), 'cookie'],
  ])('admits an upgrade by %s', async (_, headers, kind) => {
    const { admit, decided, track, upgradeGate } = create();
    const req = upgradeRequest(headers);
    const { admitted, answer, socket } = await admit(req);
    expect(answer).toBe('');
    expect(admitted).toMatchObject({
      request: { pluginId: 'live' },
      judgement: { reason: kind, verified: { token: { text: jane } } },
    });
    expect(upgradeGate.admitted(req)).toBe(admitted);
    expect(decided).toEqual([
      {
        request: { method: 'WEBSOCKET', path: '/ws' },
        decision: {
          plugin: 'live',
          outcome: 'passed',
          reason: kind,
          credential: kind,
        },
        error: undefined,
      },
    ]);
    expect(track.mock.calls).toEqual([[socket, sessionOf(JANE)]]);
  });

  it('keeps the cookie where the gate has none, which reads it no more', async () => {
    const { admit, services } = create();
    services.cookie = undefined;
    const alone = upgradeRequest(cookie(jane));
    expect((await admit(alone)).answer).toMatch(/^HTTP\/1\.1 401 /);
    const req = upgradeRequest({ ...cookie(jane), ...bearer(jane) });
    expect((await admit(req)).answer).toBe('');
    expect(req.headers.cookie).toBe(`a=1; token=${jane}`);
  });

  it.each([
    ['nothing', {}],
    ['a protocol that is a token', { 'sec-websocket-protocol': jane }],
    ['another site’s cookie', { cookie: `token=${jane}` }],
  ])('records an upgrade under a rule with %s', async (_, headers) => {
    const { admit, decided } = create({ policy: { allow: [rule] } });
    await admit(upgradeRequest(headers));
    expect(decided[0].decision).toEqual({
      plugin: 'live',
      outcome: 'passed',
      reason: 'allow-rule',
      credential: 'none',
      rule,
    });
  });

  it.each([
    ['of a revoked session', bearer(ended), 401, 'revoked', 'bearer', ENDED],
    [
      'with the cookie, from another site',
      { ...cookie(jane), origin: 'https://evil.example.com' },
      403,
      'cross-site',
      'cookie',
      undefined,
    ],
  ])(
    'refuses an upgrade %s, and answers it',
    async (_, headers, status, reason, credential, subject) => {
      const { admit, decided, track, upgradeGate } = create();
      const req = upgradeRequest(headers);
      const { admitted, answer } = await admit(req);
      expect(admitted).toBeUndefined();
      expect(upgradeGate.admitted(req)).toBeUndefined();
      expect(decided).toEqual([
        {
          request: { method: 'WEBSOCKET', path: '/ws' },
          decision: expect.objectContaining({
            plugin: 'live',
            outcome: 'refused',
            reason,
            credential,
            subject,
            clientAddress: '192.0.2.1',
          }),
          error: expect.any(Error),
        },
      ]);
      const [statusLine, ...lines] = answer.split('\r\n');
      expect(statusLine).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      expect(lines).toContain(`Api-Gate-Decision: ${decided[0].decision.id}`);
      expect(lines.some(line => line.startsWith('WWW-Authenticate: '))).toBe(
        status === 401,
      );
      expect(track).not.toHaveBeenCalled();
    },
  );

  it('refuses an upgrade to a plugin that is starting, until it is up', async () => {
    const { admit, decided } = create({
      started: failing(new ServiceUnavailableError('Not up yet')),
    });
    const { answer } = await admit(upgradeRequest(bearer(jane)));
    expect(answer).toMatch(/^HTTP\/1\.1 503 /);
    expect(decided[0].decision.reason).toBe('starting');
    expect(decided[0].error!.message).toBe('Not up yet');
  });

  it('lets an upgrade through in report-only that it would refuse, until that ends', async () => {
    const { admit, decided, track, upgradeGate } = create({
      policy: { mode: 'report-only' },
    });
    const req = upgradeRequest();
    const { admitted, answer, socket } = await admit(req);
    expect(answer).toBe('');
    expect(admitted!.judgement.refusal).toBeDefined();
    expect(upgradeGate.admitted(req)).toBe(admitted);
    expect(decided).toEqual([
      {
        request: { method: 'WEBSOCKET', path: '/ws' },
        decision: expect.objectContaining({
          outcome: 'would-refuse',
          reason: 'missing-credentials',
        }),
        error: expect.any(Error),
      },
    ]);
    expect(track.mock.calls).toEqual([[socket, 'not-admitted']]);
  });

  it('remembers the last decision about a request', async () => {
    const { admit, upgradeGate } = create();
    const req = upgradeRequest(bearer(jane));
    await admit(req);
    req.headers.authorization = 'Bearer x';
    await admit(req);
    expect(upgradeGate.admitted(req)).toBeUndefined();
  });

  it('reports the path of a target that is doubtful, and judges it as that of no plugin', async () => {
    const { admit, decided } = create({ policy: { allow: [rule] } });
    await admit(upgradeRequest(), '/api//live/ws');
    expect(decided[0].request.path).toBe('/api//live/ws');
    expect(decided[0].decision).toMatchObject({
      plugin: '%',
      reason: 'missing-credentials',
    });
  });

  it.each([
    ['a decision', {}, bearer(jane)],
    ['a refusal', {}, {}],
    ['a refusal in report-only', { mode: 'report-only' as const }, {}],
  ])(
    'refuses an upgrade if %s can not be reported',
    async (_, policy, headers) => {
      const { admit, log, services, upgradeGate } = create({ policy });
      services.observer.decided = () => {
        throw new TypeError('no');
      };
      const req = upgradeRequest(headers);
      const { admitted, answer } = await admit(req);
      expect(admitted).toBeUndefined();
      expect(upgradeGate.admitted(req)).toBeUndefined();
      const [, decision] = answer.match(
        /^HTTP\/1\.1 503 .*\r\nRetry-After: 5\r\nApi-Gate-Decision: (\w{16})\r\n/s,
      )!;
      expect(log.at(-1)).toEqual([
        'API gate refused a request',
        { reason: 'failed', decision, errorType: 'TypeError' },
      ]);
    },
  );

  it('refuses an upgrade if there is no policy', async () => {
    const { admit, services } = create();
    services.source = {
      get current(): never {
        throw new TypeError('no');
      },
    };
    const { admitted, answer } = await admit(upgradeRequest(bearer(jane)));
    expect(admitted).toBeUndefined();
    expect(answer).toMatch(/^HTTP\/1\.1 503 /);
  });

  it('logs an unexpected error, and refuses the upgrade', async () => {
    const error = new TypeError('not expected');
    const { admit, decided, log } = create({ started: failing(error) });
    const { answer } = await admit(upgradeRequest(bearer(jane)));
    expect(answer).toMatch(/^HTTP\/1\.1 503 /);
    expect(decided[0].decision.reason).toBe('failed');
    expect(log).toEqual([['API gate failed to decide about a request', error]]);
  });
});
