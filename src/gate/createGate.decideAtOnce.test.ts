import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import {
  createGateServices,
  ISSUER,
} from '../__tests__/__testUtils__/createGateServices';
import { unsignedToken } from '../__tests__/__testUtils__/unsignedToken';
import { decideAtOnce } from './createGate';
import { ExpressRequest } from './read/GateRequest';

const NOW = Math.floor(Date.now() / 1000);
const user = unsignedToken('vnd.backstage.user', {
  iss: ISSUER,
  sub: 'user:default/a',
  iat: NOW,
  exp: NOW + 3600,
});
const principal = { type: 'user', userEntityRef: 'user:default/a' };
const service = { type: 'service', subject: 'external:ci' };

/** Returns the decision about a request whose token `httpAuth` recalls with a principal. */
async function decide(
  headers: Record<string, string>,
  recalled?: object,
  {
    path = '/static/x',
    userKeysPlugin = undefined as { isUp: () => boolean } | undefined,
  } = {},
) {
  const { plugins, policy, services, told } = createGateServices({
    replaced: {
      revocations: { isLoaded: true, isRevoked: () => false } as never,
      cookieIssuer: undefined,
    },
  });
  policy.credentialHeader = 'x-token';
  const { source } = services;
  // The issuer is remembered from another token.
  await services.ownIssuer.trusts({ iss: ISSUER }, source.current);
  const hello = plugins.installed('hello');
  jest.spyOn(hello, 'httpAuthFor').mockReturnValue({
    recall: () => recalled && { principal: recalled },
  } as never);
  jest
    .spyOn(plugins, 'userKeysPlugin')
    .mockReturnValue(userKeysPlugin as never);
  const observe = jest.spyOn(services.keyEndpoints, 'observe');
  const req = Object.assign(new IncomingMessage(new Socket()), {
    method: 'GET',
    url: path,
    originalUrl: `/api/hello${path}`,
    baseUrl: '/api/hello',
    params: { gatedPluginId: 'hello' },
  });
  Object.assign(req.headers, headers);
  const res = new ServerResponse(req);
  const decided = decideAtOnce(
    new ExpressRequest(req as never, res as never, services),
  );
  const { reason } = decided ?? {};
  return { reason, isObserved: observe.mock.calls.length > 0, told };
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const cookie = (name: string) => ({ cookie: `${name}=${user}` });

const userKeys = (isUp: boolean) => ({
  userKeysPlugin: { isUp: () => isUp },
});

describe('[P12] decideAtOnce', () => {
  it.each<[string, Record<string, string>, object]>([
    ['bearer', bearer(user), principal],
    ['bearer', bearer(user), { ...principal, actor: service }],
    ['bearer', bearer('static'), service],
    ['cookie', cookie('token'), principal],
  ])('passes a %s that is remembered', async (reason, headers, recalled) => {
    expect(await decide(headers, recalled)).toEqual({
      reason,
      isObserved: true,
      told: [['verified', expect.any(Number)]],
    });
  });

  it('reports the seconds that it took', async () => {
    const { told } = await decide(bearer(user), principal);
    const [, seconds] = told[0] as [string, number];
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThan(1);
  });

  it.each([
    ['the cookie endpoint', { path: '/.backstage/auth/v1/cookie' }, false],
    ['a plugin with keys that starts', userKeys(false), false],
    ['a plugin with keys that is up', userKeys(true), true],
  ])('decides about %s: %j', async (_, options, isDecided) => {
    const { reason } = await decide(bearer(user), principal, options);
    expect(reason).toBe(isDecided ? 'bearer' : undefined);
  });

  // It may be a token of this backend, which `httpAuth` has to find out.
  it.each([
    ['Basic x', 'bearer'],
    ['Bearer x', undefined],
  ])('with %s beside the token decides: %s', async (authorization, reason) => {
    const headers = { authorization, 'x-token': user };
    expect(await decide(headers, principal)).toMatchObject({ reason });
  });

  it.each<[string, Record<string, string>, object | undefined]>([
    ['nothing is remembered', bearer(user), undefined],
    ['the cookie is Backstage’s own', cookie('backstage-auth'), principal],
    [
      'a service acts for the user of a cookie',
      cookie('token'),
      { ...principal, actor: service },
    ],
    ['a cookie is of a service', { cookie: 'token=static' }, service],
    [
      'the principal is another user',
      bearer(user),
      { ...principal, userEntityRef: 'user:default/eve' },
    ],
  ])('leaves it to `decide` if %s', async (_, headers, recalled) => {
    expect(await decide(headers, recalled)).toEqual({
      reason: undefined,
      isObserved: false,
      told: [],
    });
  });

  // `decide` refuses it: it asks `httpAuth` for users and services only.
  it('leaves it to `decide` if the principal is nobody', async () => {
    expect(await decide(bearer('static'), { type: 'none' })).toMatchObject({
      reason: undefined,
    });
  });
});
