import { unsignedToken } from '../../__tests__/__testUtils__/unsignedToken';
import { Token } from '../../gate/read/token';
import {
  createLegacyPlugins,
  createLegacyVerifier,
  LegacyApiGateOptions,
} from './createLegacyPlugins';

const JANE = 'user:default/jane';
const user = unsignedToken('vnd.backstage.user', { sub: JANE });
const untyped = unsignedToken(undefined, { sub: JANE, aud: 'backstage' });
const limited = unsignedToken('vnd.backstage.limited-user', { sub: JANE });
const foreign = unsignedToken('JWT', { sub: JANE });
const onBehalf = unsignedToken('vnd.backstage.plugin', { obo: user });

/** Creates a verifier whose clients accept any token, and record who was asked about it. */
function create(identityOf: () => object | undefined = () => ({})) {
  const asked: string[] = [];
  const verifier = createLegacyVerifier({
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
  const credentialsOf = (text: string) => verifier.find(new Token(text));
  return { asked, credentialsOf, verifier };
}

describe('createLegacyVerifier', () => {
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

  it('refuses a limited token, which is for cookies, and any token in a cookie of Backstage, and asks nobody', async () => {
    const { asked, credentialsOf, verifier } = create();
    const refused = { name: 'AuthenticationError' };
    await expect(credentialsOf(limited)).rejects.toMatchObject(refused);
    await expect(
      verifier.find(new Token(user), { allowLimitedAccess: true }),
    ).rejects.toMatchObject(refused);
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
});

it.each([
  ['techdocs', '/static/docs/x.css', true],
  ['techdocs', '/metadata/x', false],
  ['pub', '/static/x.css', false],
])(
  'the cookie loads styles of the plugin %s at %s: %s',
  (id, path, expected) => {
    const plugins = createLegacyPlugins({} as LegacyApiGateOptions);
    const request = { baseUrl: `/api/${id}`, params: { gatedPluginId: id } };
    expect(plugins.targetOf(request).acceptsUserCookie(path)).toBe(expected);
  },
);
