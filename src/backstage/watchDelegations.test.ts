import type { AuthService } from '@backstage/backend-plugin-api';
import { watchDelegations } from './watchDelegations';

/** Makes credentials as Backstage does, with hidden properties. */
const credentialsOf = (principal: object): any =>
  Object.defineProperties(
    { $$type: '@backstage/BackstageCredentials', version: 'v1', principal },
    {
      token: { value: undefined },
      allAccessRestrictions: { value: undefined },
    },
  );
const external = credentialsOf({ type: 'service', subject: 'ci' });

class Auth {
  #issued = 'issued';

  async getPluginRequestToken(_options: object) {
    return { token: this.#issued };
  }
}

function watch(auth: object = new Auth()) {
  const externalTokenDelegated = jest.fn();
  watchDelegations(auth as AuthService, { externalTokenDelegated });
  return {
    auth: auth as AuthService,
    reported: externalTokenDelegated.mock.calls,
  };
}

const ask = (auth: AuthService, onBehalfOf: any) =>
  auth.getPluginRequestToken({ onBehalfOf, targetPluginId: 'catalog' });

it.each([
  ['the credentials of a request', external, false],
  ['a copy by JSON', JSON.parse(JSON.stringify(external)), true],
  ['a copy by spreading', { ...external }, true],
])(
  'reports a call for an external token, with %s',
  async (_, given, isCopy) => {
    const { auth, reported } = watch();
    expect(await ask(auth, given)).toEqual({ token: 'issued' });
    expect(reported).toEqual([['ci', 'catalog', isCopy]]);
  },
);

it.each([
  ['a user', credentialsOf({ type: 'user', userEntityRef: 'user:a/b' })],
  ['a plugin', credentialsOf({ type: 'service', subject: 'plugin:search' })],
  ['nobody', credentialsOf({ type: 'none' })],
  ['a service without a subject', credentialsOf({ type: 'service' })],
  ['no credentials', undefined],
])('reports no call for %s', async (_, given) => {
  const { auth, reported } = watch();
  expect(await ask(auth, given)).toEqual({ token: 'issued' });
  expect(reported).toEqual([]);
});

it.each<[string, unknown, string | undefined]>([
  ['a subject that is no text', { type: 'service', subject: 7 }, 'catalog'],
  ['no plugin', external.principal, undefined],
])('lets Backstage judge a call with %s', async (_, principal, target) => {
  const { auth, reported } = watch();
  const options: any = {
    onBehalfOf: credentialsOf(principal as object),
    targetPluginId: target,
  };
  expect(await auth.getPluginRequestToken(options)).toEqual({
    token: 'issued',
  });
  expect(reported).toEqual([]);
});

it('leaves an error to Backstage', async () => {
  const { auth } = watch({
    getPluginRequestToken: () => Promise.reject(new Error('Not allowed')),
  });
  await expect(ask(auth, external)).rejects.toThrow('Not allowed');
});

it('leaves an auth service of the app that is frozen as it is', async () => {
  const { auth, reported } = watch(Object.freeze(new Auth()));
  expect(await ask(auth, external)).toEqual({ token: 'issued' });
  expect(reported).toEqual([]);
});
