import { unsignedToken } from '../../__tests__/__testUtils__/unsignedToken';
import { substituteRequest } from '../../gate/read/readCredential';
import { createLegacyHttpAuth } from './createLegacyPlugins';

const JANE = 'user:default/jane';
const user = unsignedToken('vnd.backstage.user', { sub: JANE });
const untyped = unsignedToken(undefined, { sub: JANE, aud: 'backstage' });
const limited = unsignedToken('vnd.backstage.limited-user', { sub: JANE });
const foreign = unsignedToken('JWT', { sub: JANE });
const onBehalf = unsignedToken('vnd.backstage.plugin', { obo: user });

/** Creates an `httpAuth` whose clients accept any token, and record who was asked about it. */
function create(identityOf: () => object | undefined = () => ({})) {
  const asked: string[] = [];
  const httpAuth = createLegacyHttpAuth({
    identity: {
      getIdentity: async ({ request }) => {
        asked.push(`identity ${request.headers.authorization}`);
        const identity = identityOf();
        return identity && ({ identity: { userEntityRef: JANE } } as never);
      },
    },
    tokenManager: {
      authenticate: async token => {
        asked.push(`tokenManager ${token}`);
      },
    },
  });
  const allow = ['user', 'service'] as ('user' | 'service')[];
  const credentialsOf = (token: string) =>
    httpAuth.credentials(substituteRequest(token), { allow });
  return { asked, credentialsOf, httpAuth };
}

describe('createLegacyHttpAuth', () => {
  it.each([
    ['a user token', user],
    ['a user token without a type', untyped],
  ])('has the identity client verify %s', async (_, token) => {
    const { asked, credentialsOf } = create();
    expect(await credentialsOf(token)).toEqual({
      $$type: '@backstage/BackstageCredentials',
      principal: { type: 'user', userEntityRef: JANE },
    });
    expect(asked).toEqual([`identity Bearer ${token}`]);
  });

  it.each([
    ['text that is no JWT', 'service'],
    ['a token of another kind', foreign],
    ['a service token on behalf of a user', onBehalf],
  ])('has the token manager verify %s', async (_, token) => {
    const { asked, credentialsOf } = create();
    expect(await credentialsOf(token)).toEqual({
      $$type: '@backstage/BackstageCredentials',
      principal: { type: 'service', subject: 'external:backstage-plugin' },
    });
    expect(asked).toEqual([`tokenManager ${token}`]);
  });

  it.each([
    ['a limited token, which is for cookies', limited, 'Invalid user token'],
    ['no token', '', 'Missing credentials'],
  ])('refuses %s, and asks nobody', async (_, token, message) => {
    const { asked, credentialsOf } = create();
    const error = { name: 'AuthenticationError', message };
    await expect(credentialsOf(token)).rejects.toMatchObject(error);
    expect(asked).toEqual([]);
  });

  it('refuses a user token in which the identity client finds no user', async () => {
    await expect(
      create(() => undefined).credentialsOf(user),
    ).rejects.toMatchObject({
      name: 'AuthenticationError',
      message: 'Invalid user token',
    });
  });

  it.each([
    [user, { allow: ['service'] }, 'user'],
    ['service', { allow: ['user'] }, 'service'],
    ['service', {}, 'service'],
    ['service', undefined, 'service'],
  ])(
    'refuses a caller of a kind that is not allowed: %#',
    async (token, options, kind) => {
      await expect(
        create().httpAuth.credentials(
          substituteRequest(token),
          options as object | undefined,
        ),
      ).rejects.toMatchObject({
        name: 'NotAllowedError',
        message: `Not allowed for a ${kind}`,
      });
    },
  );
});
