import { ConfigReader } from '@backstage/config';
import type { JsonObject, JsonValue } from '@backstage/types';
import { readApiGateConfig } from './readApiGateConfig';

const read = (apiGate: JsonObject, providers?: JsonValue) =>
  readApiGateConfig(
    new ConfigReader({
      backend: { baseUrl: 'https://backstage.example.com' },
      auth: { ...(providers !== undefined && { providers }), apiGate },
    }),
  );

describe('auth.apiGate.signOut', () => {
  it('is of a session, unless it is of all sessions of the user', () => {
    expect(read({}).signOut).toEqual({
      scope: 'session',
      providers: new Set(),
    });
    const signOut = { scope: 'user' };
    expect(read({ signOut }).signOut).toMatchObject(signOut);
  });

  it.each<[JsonValue, string[]]>([
    [{ Github: { development: { signIn: {} } } }, ['github']],
    [{ github: { signIn: {} } }, ['github']],
    [{ github: { development: { clientId: 'x' } } }, []],
    [{ github: { clientId: 'signIn' }, guest: 'signIn', okta: null }, []],
    ['github', []],
    // `constructor` is a key of every object.
    [{ constructor: { signIn: {} }, prototype: {} }, ['constructor']],
    [
      {
        ...{ Okta: { production: { clientId: 'x', signIn: {} } }, guest: {} },
        ...{ proxy: { signIn: { resolvers: [] } } },
      },
      ['okta', 'proxy'],
    ],
  ])('with the providers %j is by %j', (providers, ids) => {
    expect([...read({}, providers).signOut.providers]).toEqual(ids);
    const signOut = { providers: ['Mine'] };
    expect([...read({ signOut }, providers).signOut.providers]).toEqual([
      ...ids,
      'mine',
    ]);
  });
});
