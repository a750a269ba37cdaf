import { addPath, foldPath, rulePathOf, Segments } from './rulePath';

const pathOf = (path: string | undefined, method = 'GET') =>
  rulePathOf({ method, path, isInstalled: true });

describe('[P60] the path of a request as a rule would name it', () => {
  it.each([
    '/',
    '/badge.svg',
    '/a/b-c_d~e@f',
    '/@scope/x.y',
    '/x@1.2.3',
    '/eyJ',
    `/a${'/b'.repeat(18)}`,
    '/reset/ab12-cd34-ef56',
  ])('is the path itself if a rule may have it: %s', path => {
    expect(pathOf(path)).toBe(path);
  });

  it.each([
    ['/v2/tasks/0b9b4c1e-6f0e-4c6f-9d0e-0123456789ab', '/v2/tasks/*'],
    ['/by-name/user/default/jane@example.com', '/by-name/user/default/*'],
    ['/users/jane.doe@mail.example.com/picture', '/users/*/picture'],
    ['/x/a:b/y', '/x/*/y'],
    ['/reset/aB3dE6gH9jK2mN5p', '/reset/*'],
    [`/t/${'A1_-'.repeat(8)}`, '/t/*'],
    ['/t/eyJhbGciOiJub25lIn0.e30.', '/t/*'],
  ])('has * in place of what may be a secret or a person: %s', (...paths) => {
    const [path, expected] = paths;
    expect(pathOf(path)).toBe(expected);
  });

  it.each([
    undefined,
    '/x/',
    '//x',
    '/a/../b',
    '/a%20b',
    '/a:b/y',
    `/${'x'.repeat(40)}`,
    `/a${'/b'.repeat(100)}`,
    `/a${'/b'.repeat(20)}`,
    '/.backstage/auth/v1/cookie',
    "/a', methods: [POST] }",
    '/a\n- { plugin: catalog }',
    '/a #b',
  ])('is absent where no rule could have it: %j', path => {
    expect(pathOf(path)).toBeUndefined();
  });

  it('is absent for a plugin that is not installed, and for a WebSocket where it would have *', () => {
    expect(
      rulePathOf({ method: 'GET', path: '/x', isInstalled: false }),
    ).toBeUndefined();
    const path = '/x/0b9b4c1e-6f0e-4c6f-9d0e-0123456789ab';
    expect(pathOf(path, 'WEBSOCKET')).toBeUndefined();
  });
});

it('a path is folded where ten others are at the same place, and twenty at the first', () => {
  const counted: Segments = new Map();
  const fold = (path: string) => {
    const folded = foldPath('GET', path, counted);
    addPath(folded ?? '/', counted);
    return folded;
  };
  const folded = Array.from({ length: 30 }, (_, i) => fold(`/a/${i}/x`));
  expect(folded.slice(8, 12)).toEqual(['/a/8/x', '/a/9/x', '/a/*/x', '/a/*/x']);
  expect(fold('/a/3/y')).toBe('/a/3/y');
  expect(fold('/a/77/y')).toBe('/a/*/y');
  const first = Array.from({ length: 30 }, (_, i) => fold(`/b${i}`));
  expect(first.filter(Boolean)).toHaveLength(19);
});
