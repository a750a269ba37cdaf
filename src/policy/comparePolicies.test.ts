import { readAllowRules } from '../config/readAllowRules';
import { comparePolicies, RouteChange } from './comparePolicies';

const rules = (...written: [path: string, ...methods: string[]][]) =>
  readAllowRules(
    written.map(([path, ...methods]) => ({
      plugin: 'one',
      path,
      ...(methods.length && { methods }),
    })),
    'allow',
  );

const lines = (changes: RouteChange[]) =>
  changes.map(
    ({ methods, plugin, path }) => `${methods} /api/${plugin}${path}`,
  );

describe('comparePolicies', () => {
  it.each<[string, ReturnType<typeof rules>, ReturnType<typeof rules>]>([
    ['the order', rules(['/a'], ['/b']), rules(['/b'], ['/a'])],
    ['a split', rules(['/a', 'GET', 'POST']), rules(['/a', 'POST'], ['/a'])],
    ['a repetition', rules(['/a']), rules(['/a'], ['/a'])],
    [
      'a narrower rule',
      rules(['/a/**']),
      rules(['/a/b'], ['/a/b/**'], ['/a/**']),
    ],
    ['HEAD beside GET', rules(['/a']), rules(['/a', 'HEAD', 'GET'])],
    ['the root below it', rules(['/**']), rules(['/'], ['/**'])],
  ])('finds no difference in %s', (_, before, after) => {
    expect(comparePolicies(before, after)).toEqual({ opened: [], closed: [] });
    expect(comparePolicies(after, before)).toEqual({ opened: [], closed: [] });
  });

  it('finds no difference in a reason', () => {
    const [rule] = rules(['/a']);
    expect(comparePolicies([{ ...rule, reason: 'x' }], [rule])).toEqual({
      opened: [],
      closed: [],
    });
  });

  it.each<
    [
      string,
      ReturnType<typeof rules>,
      ReturnType<typeof rules>,
      string[],
      string[],
    ]
  >([
    ['a rule', [], rules(['/a']), ['GET,HEAD /api/one/a'], []],
    [
      'a method',
      rules(['/a']),
      rules(['/a', 'GET', 'POST']),
      ['POST /api/one/a'],
      [],
    ],
    [
      'a subtree for a path',
      rules(['/a']),
      rules(['/a/**']),
      ['GET,HEAD /api/one/a/**'],
      ['GET,HEAD /api/one/a'],
    ],
    [
      'a wider subtree',
      rules(['/a/b/**'], ['/a/x']),
      rules(['/a/**']),
      ['GET,HEAD /api/one/a/**'],
      [],
    ],
    [
      'HEAD alone',
      rules(['/a', 'HEAD']),
      rules(['/a']),
      ['GET /api/one/a'],
      [],
    ],
    [
      'WebSockets',
      rules(['/a']),
      rules(['/a'], ['/a', 'WEBSOCKET']),
      ['WEBSOCKET /api/one/a'],
      [],
    ],
    [
      'a longer word',
      rules(['/a/**']),
      rules(['/ab']),
      ['GET,HEAD /api/one/ab'],
      ['GET,HEAD /api/one/a/**'],
    ],
  ])('finds %s', (_, before, after, opened, closed) => {
    const difference = comparePolicies(before, after);
    expect(lines(difference.opened)).toEqual(opened);
    expect(lines(difference.closed)).toEqual(closed);
    const back = comparePolicies(after, before);
    expect(lines(back.opened)).toEqual(closed);
    expect(lines(back.closed)).toEqual(opened);
  });
});
