import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { ServiceUnavailableError } from '@backstage/errors';
import {
  createUpgradeServices,
  sessionOf,
  upgradeRequest,
  userTokenOf,
} from '../__testUtils__/upgradeServices';
import { unsignedToken } from '../__testUtils__/unsignedToken';
import { readUpgradeTarget } from '../http/upgradeRequest';
import { createUpgradeGate } from './createUpgradeGate';

const JANE = 'user:default/jane';
const ENDED = 'user:default/ended';
const [jane, ended] = [JANE, ENDED].map(userTokenOf);
const tokens = {
  [jane]: { type: 'user', userEntityRef: JANE },
  [ended]: { type: 'user', userEntityRef: ENDED },
  external: { type: 'service', subject: 'external:ci' },
};
const rule = { plugin: 'live', path: '/ws', methods: ['WEBSOCKET'] };
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const cookie = (token: string) => ({
  cookie: `a=1; token=${token}`,
  origin: 'https://backstage.example.com',
});

/** Creates a gate, and sends it upgrades. */
function create(options: Parameters<typeof createUpgradeServices>[0] = {}) {
  const parts = createUpgradeServices({ tokens, revoked: [ENDED], ...options });
  const gate = createUpgradeGate(parts.services);
  async function admit(
    req: IncomingMessage,
    target = '/api/live/ws',
    socket = new PassThrough(),
  ) {
    const admitted = await gate.admit(req, socket, readUpgradeTarget(target)!);
    const answer = String(socket.read() ?? '');
    return { admitted, answer, socket };
  }
  return { ...parts, admit, gate };
}

describe('createUpgradeGate', () => {
  it('[P10] leaves no cookie of Backstage’s own of a revoked session at a path that a rule opens', async () => {
    const limitedOf = (sub: string) =>
      unsignedToken('vnd.backstage.limited-user', sessionOf(sub));
    const { admit } = create({
      tokens: { [limitedOf(ENDED)]: { type: 'user', userEntityRef: ENDED } },
      policy: { allow: [rule] },
    });
    for (const [sub, left] of [
      [ENDED, 'a=1'],
      [JANE, `a=1; backstage-auth=${limitedOf(JANE)}`],
    ]) {
      const req = upgradeRequest({
        cookie: `a=1; backstage-auth=${limitedOf(sub)}`,
      });
      expect((await admit(req)).admitted).toMatchObject({ reason: { rule } });
      expect(req.headers.cookie).toBe(left);
    }
  });

  it.each([
    ['a bearer token', bearer(jane), 'bearer', bearer(jane).authorization],
    [
      'an offered protocol',
      { 'sec-websocket-protocol': jane },
      'bearer',
      undefined,
    ],
    ['the cookie', cookie(jane), 'cookie', bearer(jane).authorization],
  ])('admits an upgrade by %s', async (_, headers, kind, authorization) => {
    const { admit, decided, gate, services, track } = create();
    const req = upgradeRequest(headers);
    const { admitted, answer, socket } = await admit(req);
    expect(answer).toBe('');
    expect(admitted).toMatchObject({
      plugin: 'live',
      policy: { config: services.policy().config },
      reason: { judged: { verified: { token: { text: jane } } } },
    });
    expect(admitted!.reason!.judged!.presented.kind).toBe(kind);
    expect(gate.admitted(req)).toBe(admitted);
    expect(decided).toEqual([
      {
        request: { method: 'WEBSOCKET', path: '/ws' },
        decision: expect.objectContaining({
          plugin: 'live',
          outcome: 'passed',
          reason: kind,
          credential: kind,
          rule: undefined,
          id: undefined,
          clientAddress: undefined,
        }),
        error: undefined,
      },
    ]);
    expect(track.mock.calls).toEqual([[socket, sessionOf(JANE)]]);
    expect(req.headers.authorization).toBe(authorization);
  });

  it.each([
    ['reads', { cookie: `a=1; token=${jane}` }],
    ['reads beside a bearer token', { ...cookie(jane), ...bearer(jane) }],
  ])('passes no cookie on that it %s', async (_, headers) => {
    const { admit } = create({ policy: { mode: 'report-only' } });
    const req = upgradeRequest(headers);
    await admit(req);
    expect(req.headers.cookie).toBe('a=1');
  });

  it('watches no session of a service', async () => {
    const { admit, decided, track } = create();
    const { admitted } = await admit(upgradeRequest(bearer('external')));
    expect(admitted!.reason!.judged).toBeDefined();
    expect(decided[0].decision.reason).toBe('bearer');
    expect(track).not.toHaveBeenCalled();
  });

  it('admits what a rule opens, and watches no session', async () => {
    const { admit, decided, gate, track } = create({
      policy: { allow: [rule] },
    });
    for (const [headers, isAnonymous] of [
      [{}, true],
      [cookie(jane), false],
    ] as const) {
      const req = upgradeRequest(headers);
      const { admitted, answer } = await admit(req);
      expect([admitted!.reason, answer]).toEqual([{ rule, sessions: [] }, '']);
      expect(gate.admitted(req)).toBe(admitted);
      expect(decided.pop()).toEqual({
        request: { method: 'WEBSOCKET', path: '/ws' },
        decision: expect.objectContaining({
          outcome: 'passed',
          reason: 'allow-rule',
          rule,
          isAnonymous,
        }),
        error: undefined,
      });
    }
    expect(track).not.toHaveBeenCalled();
  });

  it.each([
    ['without a credential', {}, 401, 'missing-credentials', undefined],
    ['with a forged token', bearer('x'), 401, 'invalid-token', undefined],
    ['of a revoked session', bearer(ended), 401, 'revoked', ENDED],
    [
      'with the cookie, from another site',
      { ...cookie(jane), origin: 'https://evil.example.com' },
      403,
      'cross-site',
      undefined,
    ],
  ])(
    'refuses an upgrade %s, and answers it',
    async (_, headers, status, reason, subject) => {
      const { admit, decided, gate, track } = create();
      const req = upgradeRequest(headers);
      const { admitted, answer } = await admit(req);
      expect(admitted).toBeUndefined();
      expect(gate.admitted(req)).toBeUndefined();
      expect(decided).toEqual([
        {
          request: { method: 'WEBSOCKET', path: '/ws' },
          decision: expect.objectContaining({
            plugin: 'live',
            outcome: 'refused',
            reason,
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
      started: () => Promise.reject(new ServiceUnavailableError('Not up yet')),
    });
    const { answer } = await admit(upgradeRequest(bearer(jane)));
    expect(answer).toMatch(/^HTTP\/1\.1 503 /);
    expect(decided[0].decision.reason).toBe('starting');
    expect(decided[0].error!.message).toBe('Not up yet');
  });

  it('lets an upgrade through in report-only that it would refuse, until that ends', async () => {
    const { admit, decided, gate, services, track } = create({
      policy: { mode: 'report-only' },
    });
    const req = upgradeRequest(bearer(ended));
    const { admitted, answer, socket } = await admit(req);
    expect(answer).toBe('');
    expect(admitted).toEqual({
      plugin: 'live',
      policy: expect.objectContaining({ config: services.policy().config }),
      reason: undefined,
    });
    expect(gate.admitted(req)).toBe(admitted);
    expect(decided).toEqual([
      {
        request: { method: 'WEBSOCKET', path: '/ws' },
        decision: expect.objectContaining({
          outcome: 'would-refuse',
          reason: 'revoked',
          subject: ENDED,
        }),
        error: expect.any(Error),
      },
    ]);
    expect(track.mock.calls).toEqual([[socket, 'not-admitted']]);
  });

  it('remembers the last decision about a request', async () => {
    const { admit, gate } = create();
    const req = upgradeRequest(bearer(jane));
    await admit(req);
    req.headers.authorization = 'Bearer x';
    await admit(req);
    expect(gate.admitted(req)).toBeUndefined();
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
      const { admit, gate, logged, services } = create({ policy });
      services.observer.decided = () => {
        throw new TypeError('no');
      };
      const req = upgradeRequest(headers);
      const { admitted, answer } = await admit(req);
      expect(admitted).toBeUndefined();
      expect(gate.admitted(req)).toBeUndefined();
      const [, decision] = answer.match(
        /^HTTP\/1\.1 503 .*\r\nRetry-After: 5\r\nApi-Gate-Decision: (\w{16})\r\n/s,
      )!;
      expect(logged.at(-1)).toEqual([
        'API gate refused a request',
        { reason: 'failed', decision, errorType: 'TypeError' },
      ]);
    },
  );

  it('refuses an upgrade if there is no policy', async () => {
    const { admit, services } = create();
    services.policy = () => {
      throw new TypeError('no');
    };
    const { admitted, answer } = await admit(upgradeRequest(bearer(jane)));
    expect(admitted).toBeUndefined();
    expect(answer).toMatch(/^HTTP\/1\.1 503 /);
  });

  it('logs an unexpected error, and refuses the upgrade', async () => {
    const error = new TypeError('not expected');
    const { admit, decided, logged } = create({
      started: () => Promise.reject(error),
    });
    const { answer } = await admit(upgradeRequest(bearer(jane)));
    expect(answer).toMatch(/^HTTP\/1\.1 503 /);
    expect(decided[0].decision.reason).toBe('failed');
    expect(logged).toEqual([['API gate failed to judge a request', error]]);
  });
});
