import type { IncomingMessage } from 'node:http';
import { isCrossOrigin } from './isCrossOrigin';

describe('isCrossOrigin', () => {
  const own = { origin: 'https://backstage.example.com' };
  const other = { origin: 'https://portal.example.com' };

  it.each<[Record<string, string>, boolean]>([
    [{}, false],
    [own, false],
    [other, true],
    [{ origin: 'null' }, true],
    [{ 'sec-fetch-site': 'same-origin' }, false],
    [{ 'sec-fetch-site': 'none' }, false],
    [{ 'sec-fetch-site': 'same-site' }, true],
    [{ 'sec-fetch-site': 'cross-site' }, true],
    [{ 'sec-fetch-site': '' }, true],
    [{ ...own, 'sec-fetch-site': 'cross-site' }, true],
    // The browser's header decides, whatever `backend.baseUrl` is: a development server may proxy the backend.
    [{ ...other, 'sec-fetch-site': 'same-origin' }, false],
  ])('%j: %s', (headers, expected) => {
    expect(
      isCrossOrigin({ headers } as unknown as IncomingMessage, own.origin),
    ).toBe(expected);
  });
});
