import { AuthenticationError, NotAllowedError } from '@backstage/errors';
import { unsignedToken } from '../../__tests__/__testUtils__/unsignedToken';
import { readPlaces } from '../read/readCredential';
import { TokenCache } from './TokenCache';
import { Refusal } from '../Refusal';
import {
  assertForeign,
  findForeignTokens,
  isSentOn,
} from './foreignAuthorization';
import type { GateRequest } from '../read/GateRequest';

const subject = { sub: 'user:default/a' };
const user = unsignedToken('vnd.backstage.user', subject);

/** Creates a request to a plugin whose `httpAuth` answers by `credentials`. */
function requestWith(
  headers: Record<string, string>,
  {
    credentials = async (): Promise<object> => ({}),
    isForeignPath = false,
    ...options
  } = {},
) {
  const req = { headers };
  return {
    credential: 'none',
    isInstalled: true,
    isUpgrade: false,
    places: readPlaces(req as never, { cookie: undefined, isForeignPath }),
    plugin: { httpAuthFor: async () => ({ credentials }) },
    pluginId: 'hello',
    req,
    services: { tokens: new TokenCache({ ttlMs: 0 }) },
    ...options,
  } as unknown as GateRequest;
}

describe('isSentOn', () => {
  it.each([
    ['hello', true, true, true],
    ['hello', false, true, false],
    ['proxy', false, true, true],
    // In another backend, where the gate decides again.
    ['proxy', false, false, false],
  ])(
    '%s, on a foreign path: %s, installed: %s; sends Authorization on: %s',
    (pluginId, isForeignPath, isInstalled, expected) => {
      const options = { isForeignPath, isInstalled, pluginId };
      expect(isSentOn(requestWith({}, options))).toBe(expected);
    },
  );
});

describe('findForeignTokens', () => {
  const protocols = { 'sec-websocket-protocol': 'a, b' };

  it.each<[Record<string, string>, object, string[]]>([
    [{}, {}, []],
    [{ authorization: 'Basic x' }, {}, []],
    [{ authorization: 'bearer  opaque' }, {}, ['opaque']],
    [{ authorization: `x, Token a="${user}", b=eyJ.c;d` }, {}, [user, 'eyJ.c']],
    [protocols, { isUpgrade: true, isForeignPath: true }, ['a', 'b']],
    [protocols, { isUpgrade: true }, []],
    [protocols, { isForeignPath: true }, []],
  ])('finds in %j with %j: %j', (headers, options, expected) => {
    expect(findForeignTokens(requestWith(headers, options))).toEqual(expected);
  });
});

describe('assertForeign', () => {
  const invalid = () => Promise.reject(new AuthenticationError('Unknown'));
  const verified = async () => ({});
  const jwt = unsignedToken('JWT', { aud: 'cost-management' });
  const untyped = unsignedToken(undefined, { aud: 'cost-management' });
  const [, ...parts] = jwt.split('.');
  const header = Buffer.from('{"alg":"HS256"}').toString('base64url');
  const legacy = [header, ...parts].join('.');
  const createRequest = (token: string, credentials: () => Promise<object>) =>
    requestWith(
      { authorization: `Bearer ${token}` },
      { credentials, isForeignPath: true },
    );

  it.each<[string, string, () => Promise<object>]>([
    ['of a user', user, invalid],
    [
      'of a user by its audience',
      unsignedToken(undefined, { aud: 'backstage', ...subject }),
      invalid,
    ],
    [
      'of a plugin',
      unsignedToken('vnd.backstage.plugin', { sub: 'search' }),
      invalid,
    ],
    ['that is static', 'static', verified],
    ['that is legacy', legacy, verified],
    [
      'that is restricted to another plugin',
      'static',
      () => Promise.reject(new NotAllowedError('Not here')),
    ],
    // An `httpAuth` of the app's own may reject with anything.
    ['of which nobody can say what it is', 'static', () => Promise.reject()],
  ])('refuses a token %s', async (_, token, credentials) => {
    const request = createRequest(token, credentials);
    await expect(assertForeign(request)).rejects.toBe(
      Refusal.because('invalid-token'),
    );
    expect(request.credential).toBe('bearer');
  });

  it.each<[string, string, () => Promise<object>]>([
    ['under jwks', jwt, verified],
    ['of another server', untyped, invalid],
    ['with a shared secret of another server', legacy, invalid],
    ['that is no JWT', 'opaque', invalid],
  ])('passes a token %s', async (_, token, credentials) => {
    const request = createRequest(token, credentials);
    await assertForeign(request);
    expect(request.credential).toBe('none');
  });

  it('asks nobody about a token that is the credential of the request', async () => {
    const credentials = jest.fn(verified);
    const headers = { authorization: 'Bearer static' };
    await assertForeign(requestWith(headers, { credentials }));
    expect(credentials).not.toHaveBeenCalled();
  });
});
