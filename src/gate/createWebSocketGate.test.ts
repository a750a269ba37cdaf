import { PassThrough } from 'node:stream';
import type { LoggerService } from '@backstage/backend-plugin-api';
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
