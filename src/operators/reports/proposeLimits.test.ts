import { parse } from 'yaml';
import { readOpenedRequests } from '../../settings/read/readAllowRules';
import { TokenCall, Use, usedCall } from '../../store/usage/Use';
import { callPathOf, proposeLimits } from './proposeLimits';

const propose = (...calls: Omit<TokenCall, 'subject'>[]) =>
  proposeLimits(
    'ci',
    calls.map(call => usedCall({ subject: 'ci', ...call }) as Use),
  );

/** Reads the proposal once the `#` are removed, with the reader of the configuration. */
const readOnly = (text = '') =>
  parse(text.replace(/^# /gm, ''))[0].only.map((each: object) =>
    readOpenedRequests(each, 'x'),
  );

describe('callPathOf', () => {
  it.each([
    ['/', '/'],
    ['/v2/tasks', '/v2/tasks'],
    ['/v2/tasks/0b9b4c1e-6f0e-4c6f-9d0e-0123456789ab', '/v2/tasks/*'],
    [
      '/entities/by-name/user/default/jane@example.com',
      '/entities/by-name/user/default/*',
    ],
    ['/x/a:b/y', '/x/*/y'],
    ['/reset/aB3dE6gH9jK2mN5p', '/reset/*'],
    ['/reset/ab12-cd34-ef56', '/reset/ab12-cd34-ef56'],
    ['/a:b/y', undefined],
    [`/${'x'.repeat(40)}`, undefined],
    [`/a${'/b'.repeat(99)}`, `/a${'/b'.repeat(99)}`],
    [`/a${'/b'.repeat(100)}`, undefined],
    ['/x//y', '?'],
    ['/x/%61', '?'],
    ['/.backstage/auth/v1/cookie', '?'],
    [undefined, '?'],
  ])('%s is recorded as %s', (path, expected) => {
    expect(callPathOf({ method: 'GET', path })).toBe(expected);
  });

  it('has no segment of any text for a WebSocket, whose rule may have none', () => {
    const path = '/x/0b9b4c1e-6f0e-4c6f-9d0e-0123456789ab';
    expect(callPathOf({ method: 'WEBSOCKET', path })).toBeUndefined();
  });
});

describe('proposeLimits', () => {
  it('[P82] proposes what was called, and nothing else, as a comment', () => {
    const text = propose(
      { plugin: 'b', method: 'POST', path: '/v2/tasks' },
      { plugin: 'b', method: 'GET', path: '/v2/tasks/*' },
      { plugin: 'a', method: 'HEAD', path: '/x' },
      { plugin: 'a', method: 'GET', path: '/x' },
      { plugin: 'b', method: 'GET', path: '/v2/tasks' },
      { plugin: 'c', method: 'GET' },
      { plugin: 'c', method: 'GET', path: '/y' },
      { plugin: 'c', method: 'PUT', path: '/y' },
      { plugin: 'c', method: 'GET', path: '/z' },
      { plugin: 'd', method: 'WEBSOCKET', path: '/ws' },
    );
    expect(text?.split('\n').every(line => line.startsWith('# '))).toBe(true);
    expect(readOnly(text)).toEqual([
      { plugin: 'a', path: '/x', methods: ['GET'] },
      { plugin: 'b', path: '/v2/tasks', methods: ['GET', 'POST'] },
      { plugin: 'b', path: '/v2/tasks/*', methods: ['GET'] },
      { plugin: 'c', path: '/**', methods: ['GET'] },
      { plugin: 'c', path: '/y', methods: ['PUT'] },
      { plugin: 'd', path: '/ws', methods: ['WEBSOCKET'] },
    ]);
  });

  it.each<[string, Omit<TokenCall, 'subject'>]>([
    ['an odd path', { plugin: 'a', method: 'GET', path: '?' }],
    ['another backend', { plugin: 'not installed', method: 'GET', path: '/x' }],
    ['TRACE', { plugin: 'a', method: 'TRACE', path: '/x' }],
    ['CONNECT', { plugin: 'a', method: 'CONNECT', path: '/x' }],
    ['a WebSocket without a path', { plugin: 'a', method: 'WEBSOCKET' }],
  ])(
    'proposes nothing for %s, which no entry would keep working',
    (_, call) => {
      const ordinary = { plugin: 'a', method: 'GET', path: '/x' };
      expect(propose(ordinary)).toBeDefined();
      expect(propose(ordinary, call)).toBeUndefined();
    },
  );

  it('proposes nothing for a token that was not used', () => {
    expect(propose()).toBeUndefined();
  });
});
