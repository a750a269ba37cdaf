import { InputError } from '@backstage/errors';
import { readApiTarget, readExpectations } from './readExpectations';

const AT = 'auth.apiGate.expect';

// The rest of the messages for a request.
const NO_REQUEST =
  'must be a method and a path, such as GET /api/catalog/entities';
const NO_METHOD =
  'must begin with a method in upper case, such as GET, POST or WEBSOCKET';
const QUERY =
  'must not have a query, which never decides what is public: leave out everything from the ? on';
const WILDCARD =
  'must be one request, without wildcards and parameters: write one such as GET /api/catalog/entities';
const NO_PLUGIN =
  'must have a path below /api and a plugin, such as GET /api/catalog/entities';
const NO_ID =
  'must have a plugin id in lower case after /api/, such as GET /api/catalog/entities';
const NOT_PLAIN =
  'must have a plain path, because no other is ever public: leave out escapes, special characters, a slash at the end, and empty, "." or ".." segments';

const read = (value: unknown) => readExpectations(value, AT);

describe('readExpectations', () => {
  it.each([undefined, null, []])('reads %j as none', value => {
    expect(read(value)).toEqual([]);
  });

  it.each([
    ['GET /api/catalog/entities', 'GET', 'catalog', '/entities'],
    ['WEBSOCKET /api/signals', 'WEBSOCKET', 'signals', '/'],
    ['TRACE /api/a-b_1/x:y@z/~', 'TRACE', 'a-b_1', '/x:y@z/~'],
  ])('reads %s', (request, method, plugin, path) => {
    expect(read([{ request, is: 'closed' }])).toEqual([
      { request, method, plugin, path, is: 'closed' },
    ]);
  });

  it('reads a plugin that must be closed', () => {
    expect(read([{ plugin: 'a-b_1', is: 'closed' }])).toEqual([
      { plugin: 'a-b_1', method: 'GET', path: '/', is: 'closed' },
    ]);
  });

  it('accepts the same expectation twice', () => {
    const expectation = { request: 'GET /api/catalog/x', is: 'public' };
    expect(read([expectation, expectation])).toHaveLength(2);
  });

  it.each<[unknown, string]>([
    [
      {},
      `${AT} must be a list of expectations, such as [{ plugin: catalog, is: closed }]: begin each entry with "- ", in a line of its own`,
    ],
    [
      'GET /api/x',
      `${AT} must be a list of expectations, such as [{ plugin: catalog, is: closed }]: begin each entry with "- ", in a line of its own`,
    ],
    [
      ['GET /api/x'],
      `${AT}[0] must be an object with the keys request, plugin, is`,
    ],
    [
      [{ request: 'GET /api/x', is: 'closed', reason: '' }],
      `${AT}[0].reason is not known: use request, plugin, is`,
    ],
    [[{ request: 'GET /api/x' }], `${AT}[0].is must be one of public, closed`],
    [
      [{ request: 'GET /api/x', is: ['public', 'closed'] }],
      `${AT}[0].is must be one of public, closed`,
    ],
    [
      [
        { request: 'GET /api/x', is: 'closed' },
        { request: 'GET /api/x', is: 'public' },
      ],
      `${AT}[1] contradicts ${AT}[0]: GET /api/x can not be both closed and public, remove one of them`,
    ],
    [
      [{ plugin: 'catalog', request: 'GET /api/catalog/x', is: 'closed' }],
      `${AT}[0] must have either request or plugin: write two expectations`,
    ],
    [
      [{ plugin: 'catalog', is: 'public' }],
      `${AT}[0].is must be closed for a plugin: name each request that must be public, such as { request: GET /api/catalog/health, is: public }`,
    ],
    ...['Catalog', '', 'catalog/entities', ['catalog'], null].map(
      (plugin): [unknown, string] => [
        [{ plugin, is: 'closed' }],
        `${AT}[0].plugin must be one plugin id in lower case, such as catalog`,
      ],
    ),
  ])('refuses %j', (value, message) => {
    expect(() => read(value)).toThrow(new InputError(message));
  });

  it.each([
    [undefined, NO_REQUEST],
    [['GET /api/x'], NO_REQUEST],
    ['/api/x', NO_REQUEST],
    ['GET  /api/x', NO_REQUEST],
    [' GET /api/x', NO_REQUEST],
    ['GET /api/x ', NO_REQUEST],
    ['GET /api/x y', NO_REQUEST],
    ['get /api/x', `${NO_METHOD} (did you mean GET?)`],
    ['CONNECT /api/x', NO_METHOD],
    ['FETCH /api/x', NO_METHOD],
    ['GET /api/x?', QUERY],
    ['GET /api/x?a=1', QUERY],
    ['GET /api/x/**', WILDCARD],
    ['GET /api/x/*/y', WILDCARD],
    ['GET /api/x/:name', WILDCARD],
    ['GET /api/', NO_PLUGIN],
    ['GET /catalog/entities', NO_PLUGIN],
    ['GET /API/x/y', NO_PLUGIN],
    ['GET http://a/api/x/y', NO_PLUGIN],
    ['GET /api/x#y', NO_PLUGIN],
    ['GET /api/Catalog/x', NO_ID],
    ['GET /api/a.b/x', NO_ID],
    ['GET /api/%63atalog/x', NO_ID],
    ['GET /api/x/', NOT_PLAIN],
    ['GET /api/x//y', NOT_PLAIN],
    ['GET /api/x/../y', NOT_PLAIN],
    ['GET /api/x/%79', NOT_PLAIN],
    ['GET /api/x/y;z', NOT_PLAIN],
    ['GET /api/x/{y}', NOT_PLAIN],
  ])('refuses the request %j, which %s', (request, message) => {
    expect(() => read([{ request, is: 'closed' }])).toThrow(
      new InputError(`${AT}[0].request ${message}`),
    );
  });

  it('refuses a plugin that is not known, where the installed ones are', () => {
    const value = [{ request: 'GET /api/catalgo/x', is: 'closed' }];
    expect(() => readExpectations(value, AT, new Set(['catalog']))).toThrow(
      new InputError(
        `${AT}[0].request names the plugin catalgo, which is not installed here or in discovery.endpoints (did you mean catalog?): correct the id, or remove the expectation`,
      ),
    );
    expect(readExpectations(value, AT, new Set(['catalgo']))).toHaveLength(1);
    const plugin = [{ plugin: 'catalgo', is: 'closed' }];
    expect(() => readExpectations(plugin, AT, new Set())).toThrow(
      `${AT}[0].plugin names the plugin catalgo, which is not installed`,
    );
  });
});

describe('readApiTarget', () => {
  it.each([
    ['/api/pub', 'pub', '/'],
    ['/api/pub?x=/../y', 'pub', '/'],
    ['/api/pub/a/b?x', 'pub', '/a/b'],
    ['/api/pub//a/%61/..', 'pub', '//a/%61/..'],
    // Express serves these targets too, and no rule ever names them.
    ['/api/pub/', 'pub', undefined],
    ['/api/PUB/a', 'pub', undefined],
    ['/API/pub/a', 'pub', undefined],
    ['/api/p%75b/a', 'p%75b', undefined],
  ])('%s is for the plugin %s, with the path %s', (target, plugin, path) => {
    expect(readApiTarget(target)).toEqual({ plugin, path });
  });

  it.each([
    '/',
    '/x',
    '/api',
    '/api/',
    '/api//x',
    '/api?/x',
    '/apix/a',
    '//api/a',
    '/x/api/a',
  ])('%s is not below a plugin', target =>
    expect(readApiTarget(target)).toBeUndefined(),
  );

  it.each([
    '',
    'x',
    'http://any/api/pub/a',
    '/api/pub/a#b',
    '/api\\pub/a',
    '/api/pub/a b',
    '/api/pub/\u00e4',
    '*',
  ])('%j is not in origin-form', target =>
    expect(readApiTarget(target)).toBe('unreadable'),
  );
});
