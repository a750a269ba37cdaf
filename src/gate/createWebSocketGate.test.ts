import { PassThrough } from 'node:stream';
import type { LoggerService } from '@backstage/backend-plugin-api';
import {
  createUpgradeServices,
  sessionOf,
  upgradeRequest,
  userTokenOf,
} from '../__testUtils__/upgradeServices';
import type { ApiGateConfig } from '../config/readApiGateConfig';
import { readUpgradeTarget } from '../http/upgradeRequest';
import { createUpgradeGate } from './createUpgradeGate';
import { createWebSocketGate } from './createWebSocketGate';
import type { Plugins } from '../plugins/Plugins';
import { Policy } from '../policy/Policy';

/** An upgrade to a handler behind a gate of which some part throws. */
async function upgradeWith(parts: {
  installed?: () => never;
  decided?: () => void;
  none?: () => never;
  allow?: boolean;
}) {
  const ran: string[] = [];
  const errors: unknown[] = [];
  const options = {
    policy: () =>
      new Policy({
        mode: 'enforce',
        allow: parts.allow
          ? [{ plugin: 'live', path: '/ws', methods: ['WEBSOCKET'] }]
          : [],
        trustedOrigins: [],
        trustedPaths: [],
        audit: { clientAddress: false },
      } as never),
    plugins: {
      targetOf:
        parts.installed ??
        (() => ({ id: 'live', mountedAs: 'live', started() {} })),
      isInstalled: () => true,
    } as unknown as Plugins,
    observer: { decided: parts.decided ?? (() => {}) },
    logger: {
      error: (...args: unknown[]) => errors.push(args),
    } as unknown as LoggerService,
    revocations: { isRevoked: () => false },
    sockets: { track() {} },
  };
  const gate = createWebSocketGate({
    ...options,
    upgradeGate: createUpgradeGate(options as never),
  } as never);
  const handler = gate({
    pluginId: 'live',
    auth: { getNoneCredentials: parts.none ?? (async () => ({})) } as never,
    declared: {
      path: '/ws',
      authPolicy: 'unauthenticated',
      handler: () => {
        ran.push('declared');
      },
    },
    defaultHandler: () => {
      ran.push('stock');
    },
  });
  const socket = new PassThrough();
  await handler({
    request: {
      method: 'GET',
      headers: { upgrade: 'websocket' },
      rawHeaders: [],
    } as never,
    socket,
    head: Buffer.alloc(0),
  });
  const answer = String(socket.read() ?? '');
  await new Promise(resolve => setImmediate(resolve));
  return { ran, errors, answer, isClosed: socket.destroyed };
}

const fail = (): never => {
  throw new TypeError('not thought of');
};

describe('what goes wrong on the way of an upgrade', () => {
  it.each([
    ['an unexpected error', { installed: fail }],
    ['an observer that fails', { decided: fail }],
    ['an observer that fails for what passes', { decided: fail, allow: true }],
    ['no credentials to be had', { none: fail, allow: true }],
  ])('ends closed: %s', async (_, parts) => {
    const { ran, answer, isClosed } = await upgradeWith(parts);
    expect(ran).toEqual([]);
    expect(answer).toMatch(/^HTTP\/1\.1 503 Service Unavailable\r\n/);
    expect(answer).toMatch(/\r\nApi-Gate-Decision: [0-9a-f]{16}\r\n\r\n$/);
    expect(isClosed).toBe(true);
  });

  it('is logged', async () => {
    const { errors } = await upgradeWith({ installed: fail });
    expect(errors).toHaveLength(1);
  });

  it('is nothing: the handler runs', async () => {
    const { ran, answer } = await upgradeWith({ allow: true });
    expect([ran, answer]).toEqual([['declared'], '']);
  });
});

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
  verified?: () => void;
}) {
  const { headers, policy, target = '/api/live/ws', none } = options;
  const parts = createUpgradeServices({ tokens, policy });
  const { services } = parts;
  const upgradeGate = createUpgradeGate(services);
  const request = upgradeRequest(headers);
  const socket = new PassThrough();
  if (target !== null) {
    await upgradeGate.admit(request, socket, readUpgradeTarget(target)!);
  }
  parts.track.mockClear();
  if (options.verified) {
    services.observer.verified = options.verified;
  }
  const [declared, byDefault] = [jest.fn(), jest.fn()];
  const { pluginId = 'live', path = '/ws', authPolicy } = options;
  const register = createWebSocketGate({ ...services, upgradeGate } as never);
  const handler = register({
    pluginId,
    auth: { getNoneCredentials: async () => none?.(socket) ?? NONE } as never,
    declared: { path, authPolicy, handler: declared },
    defaultHandler: byDefault,
  });
  const upgrade = { request, socket, head: Buffer.alloc(0) };
  await handler(upgrade);
  const answer = String(socket.read() ?? '');
  return { ...parts, answer, byDefault, declared, socket, upgrade };
}

describe('createWebSocketGate', () => {
  it.each([
    ['a bearer token', bearer(jane), undefined],
    ['an offered protocol', { 'sec-websocket-protocol': jane }, jane],
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
      expect(track.mock.calls).toEqual([[socket, sessionOf(JANE)]]);
    });

    it('hands those of a service on, which has no session', async () => {
      const { declared, track } = await run({
        headers: bearer('external'),
        policy,
      });
      expect(declared.mock.calls[0][0].credentials).toEqual({
        principal: service,
      });
      expect(track).not.toHaveBeenCalled();
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
        headers: bearer(jane),
        policy,
        verified: fail,
      });
      expect(answer).toMatch(/^HTTP\/1\.1 503 /);
      expect(declared).not.toHaveBeenCalled();
    });

    it('verifies no token for a handler that is unauthenticated', async () => {
      const { declared } = await run({
        headers: bearer(jane),
        policy,
        authPolicy: 'unauthenticated',
        verified: fail,
      });
      expect(declared.mock.calls[0][0].credentials).toBe(NONE);
    });
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
