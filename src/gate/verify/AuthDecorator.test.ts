import type { AuthService } from '@backstage/backend-plugin-api';
import {
  createGateServices,
  ISSUER,
} from '../../__tests__/__testUtils__/createGateServices';
import { unsignedToken } from '../../__tests__/__testUtils__/unsignedToken';
import type { Revocation } from '../sessions/Revocation';
import { Refusal } from '../Refusal';
import { AuthDecorator } from './AuthDecorator';
import { TokenCache } from './TokenCache';

const NOW = Math.floor(Date.now() / 1000);
const session = { sub: 'user:default/a', iat: NOW, exp: NOW + 3600 };
const userOf = (claims: object) =>
  unsignedToken('vnd.backstage.user', { iss: ISSUER, ...session, ...claims });
const user = userOf({});
const foreign = userOf({ iss: 'https://other' });
const endless = userOf({ exp: undefined });
const limited = unsignedToken('vnd.backstage.limited-user', session);
const onBehalf = unsignedToken('vnd.backstage.plugin', {
  ...{ sub: 'search', aud: 'hello' },
  obo: limited,
});
const plugin = unsignedToken('vnd.backstage.plugin', { sub: 'search' });
const principal = { type: 'user', userEntityRef: session.sub };

/** Makes a decorated `auth` below which everything verifies, and records what is asked and what is refused. */
function create(mode: 'enforce' | 'report-only' = 'enforce') {
  const asked: unknown[][] = [];
  const behind: unknown[][] = [];
  const gate = createGateServices({
    replaced: { tokens: new TokenCache({ ttlMs: 30_000 }) },
  });
  gate.policy = {
    mode,
    tokens: [
      { subject: 'over', only: 'all', until: 1 },
      { subject: 'ci', only: [] },
    ],
  };
  gate.services.observer.refusedBehind = (...told) => behind.push(told);
  const auth = {
    authenticate: async (text: string, options?: object) => {
      asked.push([text, options]);
      const isExternal = !text.includes('.');
      const subject = text === plugin ? 'plugin:search' : text;
      return {
        principal:
          isExternal || text === plugin
            ? { type: 'service', subject }
            : principal,
      };
    },
  } as unknown as AuthService;
  const decorated = new AuthDecorator(auth, 'hello', gate.services);
  const nameOf = (text: string, options?: object) =>
    decorated.authenticate(text, options).then(
      ({ principal: { type } }: any) => type,
      ({ name, message }) => `${name}: ${message}`,
    );
  const end = (scope: Revocation['scope'] = 'session') =>
    gate.revocations.add([{ scope, ...session }]);
  return { ...gate, asked, auth, behind, decorated, end, nameOf };
}

const INVALID = 'AuthenticationError: Invalid credentials';

describe.each(['enforce', 'report-only'] as const)('in %s', mode => {
  it.each([
    ['a user', user],
    ['a user with limited access', limited],
    ['a service that acts for a user', onBehalf],
  ])('[P122] the token of %s ends with the session', async (_, text) => {
    const { behind, end, loadRevocations, nameOf } = create(mode);
    await loadRevocations();
    const options = { allowLimitedAccess: text === limited };
    expect(await nameOf(text, options)).toBe('user');
    end();
    expect(await nameOf(text, options)).toBe(INVALID);
    expect(behind).toEqual([
      ['hello', expect.objectContaining({ reason: 'revoked' })],
    ]);
  });

  it('[P122] a token of a session that ends while it is verified is refused', async () => {
    const { auth, end, loadRevocations, nameOf } = create(mode);
    await loadRevocations();
    const { authenticate } = auth;
    auth.authenticate = async (...args) => {
      end('user');
      return authenticate(...args);
    };
    expect(await nameOf(user)).toBe(INVALID);
  });

  it('a token is verified once, and told what limits it as the gate enforces', async () => {
    const { asked, loadRevocations, nameOf } = create(mode);
    await loadRevocations();
    const isEnforced = mode === 'enforce';
    expect(await nameOf(user)).toBe('user');
    expect(await nameOf(user)).toBe('user');
    expect(await nameOf(plugin)).toBe('service');
    // `only` depends on the request: httpAuth and the gate apply it.
    expect(await nameOf('ci')).toBe('service');
    expect(asked).toEqual([user, plugin, 'ci'].map(each => [each, undefined]));
    expect(await nameOf(foreign)).toBe(isEnforced ? INVALID : 'user');
    expect(await nameOf(endless)).toBe(isEnforced ? INVALID : 'user');
    const ended = await nameOf('over');
    expect(ended === 'service').toBe(!isEnforced);
  });

  it('waits for the first reading of the list, six seconds in all, and then enforces as the gate does', async () => {
    jest.useFakeTimers();
    const { asked, nameOf } = create(mode);
    const first = nameOf(user);
    await jest.advanceTimersByTimeAsync(5_999);
    expect(asked).toHaveLength(1);
    const isDone = jest.fn();
    first.then(isDone);
    await jest.advanceTimersByTimeAsync(0);
    expect(isDone).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(1);
    const expected = mode === 'enforce' ? /^ServiceUnavailableError/ : /^user$/;
    expect(await first).toMatch(expected);
    // No later call waits.
    expect(await nameOf(user)).toMatch(expected);
    jest.useRealTimers();
  });

  it('goes on as soon as the list is there', async () => {
    const { loadRevocations, nameOf } = create(mode);
    const waiting = nameOf(user);
    await loadRevocations();
    expect(await waiting).toBe('user');
  });
});

it('has no keys fetched for a caller that the gate does not accept', async () => {
  const { asked, behind, nameOf, services } = create();
  services.keyEndpoints.assertCallerKnown = async claims => {
    if (claims?.sub === 'search') {
      throw Refusal.because('invalid-token', 'unknown-key');
    }
  };
  expect(await nameOf(plugin)).toBe(INVALID);
  expect(asked).toEqual([]);
  expect(behind).toEqual([
    ['hello', expect.objectContaining({ detail: 'unknown-key' })],
  ]);
});

it('throws any other error as it is', async () => {
  const { auth, behind, nameOf } = create();
  auth.authenticate = () => Promise.reject(new TypeError('Unexpected'));
  expect(await nameOf(user)).toBe('TypeError: Unexpected');
  expect(behind).toEqual([]);
});

it.each([
  ['getLimitedUserToken', 'credentials'],
  ['getNoneCredentials'],
  ['getOwnServiceCredentials'],
  ['getPluginRequestToken', 'options'],
  ['isPrincipal', 'credentials', 'user'],
  ['listPublicServiceKeys'],
])('leaves %s of the service unchanged', async (method, ...args) => {
  const answer = jest.fn(() => 'answer');
  const { services } = createGateServices();
  const auth = { [method]: answer } as unknown as AuthService;
  const decorated = new AuthDecorator(auth, 'hello', services) as any;
  expect(await decorated[method](...args)).toBe('answer');
  expect(answer).toHaveBeenCalledWith(...args);
});
