import { unsignedToken } from '../../__tests__/__testUtils__/unsignedToken';
import { TokenCache } from '../verify/TokenCache';
import type { GateRequest } from './GateRequest';
import { readPlaces } from './readCredential';
import { readTokens } from './readTokens';

const jwt = unsignedToken('vnd.backstage.user', { sub: 'user:default/a' });
const header = 'x-backstage-token';

// The proof has the roles of tokens, with one way to write each.
describe('the tokens that go elsewhere', () => {
  const readForeign = (
    headers: Record<string, string>,
    {
      isForeignPath = false,
      ...others
    }: { isForeignPath?: boolean; [name: string]: unknown } = {},
  ) => {
    const rawHeaders = Object.entries(headers).flat();
    const req = { headers, rawHeaders } as never;
    const request = {
      isInstalled: true,
      isUpgrade: false,
      places: readPlaces(req, { cookie: undefined, header, isForeignPath }),
      pluginId: 'hello',
      req,
      route: 'protected',
      services: { tokens: new TokenCache({ ttlMs: 0 }) },
      ...others,
    } as unknown as GateRequest;
    return readTokens(request)
      .filter(({ role }) => role === 'goes elsewhere')
      .map(({ refused }) => refused?.reason);
  };

  it.each([
    ['is among others', `x, Token a="${jwt}", b=eyJ.c;d`, ['invalid-token']],
    ['is not there', 'x, Token b=eyJ.c;d', []],
  ])('one in an Authorization of any scheme %s', (_, authorization, reasons) =>
    expect(readForeign({ authorization })).toEqual(reasons),
  );

  it.each([
    ['hello', true, true, true, true],
    ['hello', true, true, false, false],
    ['hello', false, true, true, false],
    ['proxy', false, true, true, true],
    ['proxy', false, true, false, false],
    // In another backend, where the gate decides again.
    ['proxy', false, false, true, false],
  ])(
    'are among the protocols of %s, on a foreign path: %s, installed: %s, of an upgrade: %s; %s',
    (pluginId, isForeignPath, isInstalled, isUpgrade, expected) => {
      const change = { isForeignPath, isInstalled, isUpgrade, pluginId };
      const offered = { [header]: 'x', 'sec-websocket-protocol': `a, ${jwt}` };
      const policy = { isCrossSite: () => false };
      const found = readForeign(offered, { ...change, policy });
      expect(found).toEqual(expected ? ['invalid-token'] : []);
    },
  );
});
