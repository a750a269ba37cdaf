import { ConfigReader } from '@backstage/config';
import { findProxiedWebSockets } from './findProxiedWebSockets';

it.each([
  ['no proxy', {}, []],
  ['no endpoints', { proxy: {} }, []],
  [
    'endpoints',
    {
      proxy: {
        endpoints: {
          '/a': 'http://a',
          '/b': { target: 'http://b', ws: true },
          '/c': { target: 'http://c', ws: false },
        },
      },
    },
    ['proxy.endpoints./b.ws'],
  ],
  [
    'the old place',
    { proxy: { '/a': { target: 'http://a', ws: true }, other: null } },
    ['proxy./a.ws'],
  ],
  ['what the proxy plugin will refuse', { proxy: { endpoints: 'x' } }, []],
])('finds them in %s', (_, config, expected) => {
  expect(findProxiedWebSockets(new ConfigReader(config as {}))).toEqual(
    expected,
  );
});
