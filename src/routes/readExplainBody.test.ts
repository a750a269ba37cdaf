import { readExplainBody } from './readExplainBody';

const METHOD = 'body.method must be a request method in upper case';
const TARGET = 'body.target must be a request target of at most 16384';

describe('readExplainBody', () => {
  it.each([
    { method: 'GET', target: '/api/catalog/entities?x=1#y' },
    { method: 'WEBSOCKET', target: '/api/signals' },
    { method: 'PROPFIND', target: 'http://any/api/x\\..%2f\xff' },
    { method: 'OPTIONS', target: '*' },
    { method: 'GET', target: `/${'x'.repeat(16_383)}` },
  ])('reads %j', body => {
    expect(readExplainBody(body)).toEqual(body);
  });

  it.each<[unknown, string]>([
    [undefined, 'body must be an object with the keys method, target'],
    [null, 'body must be an object with the keys method, target'],
    [[], 'body must be an object with the keys method, target'],
    ['GET /', 'body must be an object with the keys method, target'],
    [{}, METHOD],
    [{ target: '/' }, METHOD],
    [{ method: 'get', target: '/' }, METHOD],
    [{ method: 'GET\n', target: '/' }, METHOD],
    [{ method: 'FETCH', target: '/' }, METHOD],
    [{ method: ['GET'], target: '/' }, METHOD],
    [{ method: 'GET' }, TARGET],
    [{ method: 'GET', target: 5 }, TARGET],
    [{ method: 'GET', target: ['/'] }, TARGET],
    [{ method: 'GET', target: '' }, TARGET],
    [{ method: 'GET', target: '/a b' }, TARGET],
    [{ method: 'GET', target: '/a\r\nCookie: x' }, TARGET],
    [{ method: 'GET', target: '/\x00' }, TARGET],
    [{ method: 'GET', target: '/\x7f' }, TARGET],
    [{ method: 'GET', target: '/ğ' }, TARGET],
    [{ method: 'GET', target: `/${'x'.repeat(16_384)}` }, TARGET],
    [
      { method: 'GET', target: '/', token: 'x' },
      'body.token is not known: use method, target',
    ],
    [
      JSON.parse('{"method":"GET","target":"/","__proto__":{}}'),
      'body.__proto__ is not known: use method, target',
    ],
  ])('refuses %j', (body, message) => {
    expect(() => readExplainBody(body)).toThrow(message);
    expect(() => readExplainBody(body)).toThrow(/^[^\n]+$/);
  });
});
