import type { IncomingMessage } from 'node:http';
import { isPageDestination } from './isPageDestination';

const request = (headers: Record<string, string>) =>
  ({ headers }) as unknown as IncomingMessage;

describe('[P47] isPageDestination', () => {
  it.each(['document', 'embed', 'fencedframe', 'frame', 'iframe', 'object'])(
    '%s: true',
    destination => {
      const headers = { 'sec-fetch-dest': destination };
      expect(isPageDestination(request(headers))).toBe(true);
    },
  );

  it.each(['audio', 'empty', 'font', 'image', 'script', 'sharedworker', ''])(
    '%s: false, whatever the browser accepts',
    destination => {
      const headers = { 'sec-fetch-dest': destination, accept: 'text/html' };
      expect(isPageDestination(request(headers))).toBe(false);
    },
  );

  it.each([
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', true],
    ['application/json, TEXT/HTML', true],
    ['image/avif,image/webp,*/*;q=0.8', false],
    ['*/*', false],
    ['', false],
  ])('without Sec-Fetch-Dest, with Accept: %s: %s', (accept, expected) => {
    expect(isPageDestination(request({ accept }))).toBe(expected);
    expect(isPageDestination(request({}))).toBe(false);
  });
});
