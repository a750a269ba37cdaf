import { ConfigReader } from '@backstage/config';
import { createClientAddress } from './createClientAddress';

describe('createClientAddress', () => {
  it.each([
    [undefined, '10.0.0.1'],
    [false, '10.0.0.1'],
    [true, '192.0.2.7'],
    ['10.0.0.1', '192.0.2.8'],
  ])('with the trust in proxies %j it is %s', (trustProxy, expected) => {
    const clientAddressOf = createClientAddress(
      new ConfigReader({ backend: { trustProxy } }),
    );
    const headers = { 'x-forwarded-for': '192.0.2.7, 192.0.2.8' };
    const socket = { remoteAddress: '10.0.0.1' };
    expect(clientAddressOf({ headers, socket } as never)).toBe(expected);
  });
});
