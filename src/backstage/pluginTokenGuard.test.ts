import type { pluginTokenHandlerDecoratorServiceRef } from '@backstage/backend-defaults/auth';
import { Refusal } from '../gate/Refusal';
import { apiGateServiceRef } from './apiGateService';
import { pluginTokenGuardServiceFactory } from './pluginTokenGuard';

type Decorator = (typeof pluginTokenHandlerDecoratorServiceRef)['T'];

/** Makes the decorated handler of a plugin, whose callers are known as `assertCallerKnown` says. */
async function decorate(
  assertCallerKnown: (...args: unknown[]) => Promise<void>,
) {
  const gate = {
    tokens: { read: (text: string) => ({ claims: { sub: text } }) },
    keyEndpoints: { assertCallerKnown: jest.fn(assertCallerKnown) },
  };
  const handler = {
    verifyToken: jest.fn(async () => ({ subject: 'plugin:search' })),
    issueToken: jest.fn(async () => ({ token: 'issued' })),
  };
  const factory = pluginTokenGuardServiceFactory as unknown as {
    factory(deps: object): Promise<Decorator>;
  };
  const decorator = await factory.factory({ gate });
  return { handler, decorated: decorator(handler), ...gate.keyEndpoints };
}

it('is made of the gate', () => {
  // The reference is compared as it is: on older releases, no property `T` of it can be read.
  const { deps } = pluginTokenGuardServiceFactory as any;
  expect(deps.gate).toBe(apiGateServiceRef);
});

it('verifies the token of a caller once that is known', async () => {
  let know = () => {};
  const { assertCallerKnown, decorated, handler } = await decorate(
    () =>
      new Promise(resolve => {
        know = resolve;
      }),
  );
  const verified = decorated.verifyToken('a');
  await new Promise(setImmediate);
  expect(assertCallerKnown).toHaveBeenCalledWith({ sub: 'a' });
  expect(handler.verifyToken).not.toHaveBeenCalled();
  know();
  expect(await verified).toEqual({ subject: 'plugin:search' });
  expect(handler.verifyToken).toHaveBeenCalledWith('a');
});

const failure = new Error('No address');

it.each([
  [
    'the error of a refusal',
    Refusal.because('invalid-token'),
    Refusal.because('invalid-token').error,
  ],
  ['any other error', failure, failure],
])('throws %s, and verifies nothing', async (_, thrown, expected) => {
  const { decorated, handler } = await decorate(() => Promise.reject(thrown));
  await expect(decorated.verifyToken('a')).rejects.toBe(expected);
  expect(handler.verifyToken).not.toHaveBeenCalled();
});

it('issues tokens as Backstage does', async () => {
  const { decorated, handler } = await decorate(async () => {});
  const options = { pluginId: 'hello', targetPluginId: 'catalog' };
  expect(await decorated.issueToken(options)).toEqual({ token: 'issued' });
  expect(handler.issueToken).toHaveBeenCalledWith(options);
});
