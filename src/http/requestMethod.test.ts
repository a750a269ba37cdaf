import type { IncomingMessage } from 'node:http';
import { asksForUpgrade, requestMethod } from './requestMethod';

const request = (headers: Record<string, string>, method?: string) =>
  ({ method, headers }) as unknown as IncomingMessage;

describe('requestMethod', () => {
  it.each([
    ['GET', {}, 'GET'],
    ['GET', { upgrade: 'WebSocket' }, 'WEBSOCKET'],
    ['GET', { upgrade: 'h2c' }, 'GET'],
    ['POST', { upgrade: 'websocket' }, 'POST'],
    [undefined, {}, ''],
  ])('of %s with %j is %j', (method, headers, expected) => {
    expect(requestMethod(request(headers, method))).toBe(expected);
  });
});

describe('asksForUpgrade', () => {
  it.each([
    [{ upgrade: 'websocket', connection: 'Upgrade' }, true],
    [{ upgrade: 'h2c', connection: 'keep-alive, upgrade' }, true],
    [{ upgrade: 'websocket', connection: 'keep-alive' }, false],
    [{ upgrade: 'websocket' }, false],
    [{ connection: 'upgrade' }, false],
    [{}, false],
  ])('with %j is %s', (headers, expected) => {
    expect(asksForUpgrade(request(headers))).toBe(expected);
  });
});
