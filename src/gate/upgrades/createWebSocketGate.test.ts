import { PassThrough } from 'node:stream';
import {
  createUpgradeServices,
  sessionOf,
  upgradeRequest,
  userTokenOf,
} from '../../__tests__/__testUtils__/upgradeServices';
import type { ApiGateConfig } from '../../settings/read/readApiGateConfig';
import { createWebSocketGate } from './createWebSocketGate';
import type { GateServices } from '../GateServices';

const JANE = 'user:default/jane';
const jane = userTokenOf(JANE);
const user = { type: 'user', userEntityRef: JANE };
const service = { type: 'service', subject: 'external:ci' };
const tokens = { [jane]: user, external: service };
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const ruleFor = (path: string) => ({
  plugin: 'live',
  path,
  methods: ['WEBSOCKET'],
});
const NONE = { principal: { type: 'none' } };

/** Runs the handler that a plugin registers, for an upgrade that the server's gate has decided about. */
async function run(options: {
  headers?: Record<string, string>;
  policy?: Partial<ApiGateConfig>;
  /** The target at the server; `null` for an upgrade that did not pass it. */
  target?: string | null;
  pluginId?: string;
  path?: string;
  authPolicy?: 'unauthenticated';
  none?: (socket: PassThrough) => object;
  /** Runs in front of the handler. */
  prepare?: (services: GateServices, valid: Map<string, object>) => void;
}) {
  const { headers, policy, target = '/api/live/ws', none } = options;
  const parts = createUpgradeServices({ tokens, policy });
  const { services, upgradeGate } = parts;
  const request = upgradeRequest(headers);
  const socket =
    target === null
      ? new PassThrough()
      : (await parts.admit(request, target)).socket;
  options.prepare?.(services, parts.tokens);
  const [declared, byDefault] = [jest.fn(), jest.fn()];
  const { pluginId = 'live', path = '/ws', authPolicy } = options;
  const register = createWebSocketGate({ ...services, upgradeGate });
  const handler = register({
    pluginId,
    auth: { getNoneCredentials: async () => none?.(socket) ?? NONE } as never,
    declared: { path, authPolicy, handler: declared },
    backstageHandler: byDefault,
  });
  const upgrade = { request, socket, head: Buffer.alloc(0) };
  await handler(upgrade);
  const answer = String(socket.read() ?? '');
  return { ...parts, answer, byDefault, declared, socket, upgrade };
}

const fail = (): never => {
  throw new TypeError('not thought of');
};

describe('createWebSocketGate', () => {
  it.each([
    ['a bearer token', bearer(jane), undefined],
    ['an offered protocol', { 'sec-websocket-protocol': jane }, jane],
    [
      'the cookie',
      { cookie: `token=${jane}`, origin: 'https://backstage.example.com' },
      undefined,
    ],
  ])(
    'hands the credentials of %s on, and decides once',
    async (_, headers, authProtocol) => {
      for (const target of ['/api/live/ws', null]) {
        const { byDefault, decided, declared, upgrade } = await run({
          headers,
          target,
        });
        expect(decided).toHaveLength(1);
        expect(declared.mock.calls).toEqual([
          [{ ...upgrade, credentials: { principal: user }, authProtocol }],
        ]);
        expect(byDefault).not.toHaveBeenCalled();
      }
    },
  );

  it('finds the decision for a plugin that spells its id in capitals', async () => {
    const { decided, declared } = await run({
      headers: bearer(jane),
      pluginId: 'LIVE',
    });
    expect(decided).toHaveLength(1);
    expect(declared).toHaveBeenCalledTimes(1);
  });

  it('decides again if the decision was about another plugin', async () => {
    const { decided, declared } = await run({
      headers: bearer(jane),
      target: '/api/other/ws',
    });
    expect(decided.map(({ decision }) => decision.plugin)).toEqual([
      'other',
      'live',
    ]);
    expect(declared).toHaveBeenCalledTimes(1);
  });

  it.each([
    ['/', '/'],
    ['/ws', '/ws'],
  ])('decides about the path %s of a handler', async (path, reported) => {
    const { decided, declared } = await run({
      path,
      policy: { allow: [ruleFor(path)] },
      target: null,
    });
    expect(decided[0].request.path).toBe(reported);
    expect(decided[0].decision.reason).toBe('allow-rule');
    expect(declared.mock.calls[0][0].credentials).toBe(NONE);
  });

  it('runs no handler for an upgrade that is refused', async () => {
    const { answer, byDefault, declared } = await run({ target: null });
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
    expect(declared).not.toHaveBeenCalled();
    expect(byDefault).not.toHaveBeenCalled();
  });

  it.each([
    ['it would refuse', {}, []],
    ['a rule opens', {}, [ruleFor('/ws')]],
    ['a rule opens to a user', bearer(jane), [ruleFor('/ws')]],
  ])(
    'leaves an upgrade to Backstage in report-only that %s',
    async (_, headers, allow) => {
      const { byDefault, declared, upgrade } = await run({
        headers,
        policy: { mode: 'report-only', allow },
      });
      expect(byDefault.mock.calls).toEqual([[upgrade]]);
      expect(declared).not.toHaveBeenCalled();
    },
  );

  it('runs the declared handler in report-only for an upgrade with a credential', async () => {
    const { byDefault, declared } = await run({
      headers: bearer(jane),
      policy: { mode: 'report-only' },
    });
    expect(declared.mock.calls[0][0].credentials).toEqual({ principal: user });
    expect(byDefault).not.toHaveBeenCalled();
  });

  describe('for a handler that needs credentials below a rule', () => {
    const policy = { allow: [ruleFor('/ws')] };

    it('hands those of a user on, and closes the socket with the session', async () => {
      const { declared, socket, track } = await run({
        headers: bearer(jane),
        policy,
      });
      expect(declared.mock.calls[0][0].credentials).toEqual({
        principal: user,
      });
      expect(track).toHaveBeenCalledWith(socket, sessionOf(JANE));
    });

    // The keys of the token may be new to the server's gate.
    it('closes the socket with the session of a token that verifies only then', async () => {
      const late = userTokenOf('user:default/late');
      const { declared, socket, track } = await run({
        headers: bearer(late),
        policy,
        prepare: ({ invalidTokens }, valid) => {
          jest.spyOn(invalidTokens, 'get').mockReturnValue(undefined);
          const userEntityRef = 'user:default/late';
          valid.set(late, { type: 'user', userEntityRef });
        },
      });
      expect(declared.mock.calls[0][0].credentials.principal.type).toBe('user');
      expect(track).toHaveBeenCalledWith(
        socket,
        sessionOf('user:default/late'),
      );
    });

    it('[P82] hands those of an external token on, whose socket the configuration may end', async () => {
      const externalTokenUsed = jest.fn();
      const { declared, socket, track } = await run({
        headers: bearer('external'),
        policy,
        prepare: ({ observer }) =>
          Object.assign(observer, { externalTokenUsed }),
      });
      const [[subject]] = externalTokenUsed.mock.calls;
      expect(subject).toBe(service.subject);
      expect(declared.mock.calls[0][0].credentials).toEqual({
        principal: service,
      });
      // Both the decision and the handler have it end.
      const ends = [socket, expect.any(Function)];
      expect(track.mock.calls).toEqual([ends, ends]);
    });

    it.each([
      ['no token', {}],
      ['a token that does not verify', bearer('x')],
      [
        'the cookie, which it does not read',
        {
          cookie: `token=${jane}`,
          origin: 'https://backstage.example.com',
        },
      ],
    ])('hands no credentials on with %s', async (_, headers) => {
      const { answer, declared, track } = await run({ headers, policy });
      const [[context]] = declared.mock.calls;
      expect(context.credentials).toBe(NONE);
      expect(context.authProtocol).toBeUndefined();
      expect(track).not.toHaveBeenCalled();
      expect(answer).toBe('');
    });

    it('refuses the upgrade after an unexpected error', async () => {
      const { answer, declared } = await run({
        headers: bearer('external'),
        policy,
        prepare: ({ observer }) =>
          Object.assign(observer, { externalTokenUsed: fail }),
      });
      expect(answer).toMatch(/^HTTP\/1\.1 503 /);
      expect(declared).not.toHaveBeenCalled();
    });

    it('hands no credentials to a handler that is unauthenticated', async () => {
      const { declared } = await run({
        headers: bearer(jane),
        policy,
        authPolicy: 'unauthenticated',
      });
      expect(declared.mock.calls[0][0].credentials).toBe(NONE);
    });
  });

  it.each<[string, Parameters<typeof run>[0]]>([
    [
      'an unexpected error',
      { prepare: ({ plugins }) => Object.assign(plugins, { targetOf: fail }) },
    ],
    [
      'an observer that fails',
      { prepare: ({ observer }) => Object.assign(observer, { decided: fail }) },
    ],
    [
      'an observer that fails for what passes',
      {
        policy: { allow: [ruleFor('/ws')] },
        prepare: ({ observer }) => Object.assign(observer, { decided: fail }),
      },
    ],
    [
      'no credentials to be had',
      { policy: { allow: [ruleFor('/ws')] }, none: fail },
    ],
  ])('ends closed, and logs: %s', async (_, options) => {
    const { answer, byDefault, declared, log, socket } = await run({
      ...options,
      target: null,
    });
    expect([declared.mock.calls, byDefault.mock.calls]).toEqual([[], []]);
    expect(answer).toMatch(/^HTTP\/1\.1 503 Service Unavailable\r\n/);
    expect(answer).toMatch(/\r\nApi-Gate-Decision: [0-9a-f]{16}\r\n\r\n$/);
    await new Promise(resolve => setImmediate(resolve));
    expect(socket.destroyed).toBe(true);
    expect(log).not.toEqual([]);
  });

  it('runs no handler once the client has gone', async () => {
    const { declared } = await run({
      policy: { allow: [ruleFor('/ws')] },
      none: socket => {
        socket.destroy();
        return NONE;
      },
    });
    expect(declared).not.toHaveBeenCalled();
  });
});
