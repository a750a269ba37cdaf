import { InputError } from '@backstage/errors';
import type { AllowRule } from '../config/AllowRule';
import type { ApiGateConfig } from '../config/readApiGateConfig';
import { readExpectations } from '../config/readExpectations';
import {
  assertExpectations,
  findFailedExpectations,
} from './checkExpectations';

const ENDED = Date.parse('2001-01-01');

const allow: AllowRule[] = [
  { plugin: 'catalog', path: '/open/**', methods: ['GET'] },
  { plugin: 'catalog', path: '/ended', methods: ['GET'], until: ENDED },
];

const expecting = (...rows: [request: string, is: 'public' | 'closed'][]) =>
  ({
    allow,
    expect: readExpectations(
      rows.map(([request, is]) => ({ request, is })),
      'expect',
    ),
    signOut: { providers: new Set(['github']) },
  }) as unknown as ApiGateConfig;

describe('findFailedExpectations', () => {
  it.each([
    ['GET /api/catalog/open/a', 'public'],
    ['POST /api/catalog/open/a', 'closed'],
    ['GET /api/catalog/ended', 'closed'],
    ['POST /api/auth/github/logout', 'public'],
    ['GET /api/app/a', 'public'],
  ] as const)('finds none where %s is %s', (request, is) => {
    expect(findFailedExpectations(expecting([request, is]), 'a.gate')).toEqual(
      [],
    );
  });

  it.each([
    [
      'GET /api/catalog/open/a',
      'closed',
      'should be closed, and is public by a.gate.allow[0] (/open/**)',
      false,
    ],
    [
      'GET /api/auth/x',
      'closed',
      'should be closed, and is always public (built-in-public): remove the expectation',
      false,
    ],
    [
      'POST /api/auth/github/logout',
      'closed',
      'should be closed, and is always public (sign-out): remove the expectation',
      false,
    ],
    [
      'GET /api/catalog/ended',
      'public',
      'should be public, and its rule a.gate.allow[1] (/ended) has ended: write a later until, or remove the expectation',
      true,
    ],
    [
      'POST /api/catalog/ended',
      'public',
      'should be public, and no rule of a.gate.allow names it; the nearest is a.gate.allow[1] (/ended)',
      false,
    ],
    [
      'GET /api/search/query',
      'public',
      'should be public, and no rule of a.gate.allow names it',
      false,
    ],
  ] as const)('finds that %s is not %s', (request, is, problem, isByEnd) => {
    const config = expecting(['GET /api/x/y', 'closed'], [request, is]);
    expect(findFailedExpectations(config, 'a.gate')).toEqual([
      { index: 1, message: `a.gate.expect[1]: ${request} ${problem}`, isByEnd },
    ]);
  });

  it('names the rules by another config path', () => {
    const config = expecting(['GET /api/catalog/open/a', 'closed']);
    expect(
      findFailedExpectations(config, 'gate', 'gate.candidate.allow'),
    ).toMatchObject([
      {
        message:
          'gate.expect[0]: GET /api/catalog/open/a should be closed, and is public by gate.candidate.allow[0] (/open/**)',
      },
    ]);
  });
});

describe('assertExpectations', () => {
  const CLOSED =
    'gate.expect[0]: GET /api/app/a should be closed, and is always public (built-in-public): remove the expectation';

  it('throws for the first, and counts the others', () => {
    const first: [string, 'closed'] = ['GET /api/app/a', 'closed'];
    const check = (...others: [string, 'public' | 'closed'][]) =>
      assertExpectations(expecting(first, ...others), 'gate');
    expect(() => check()).toThrow(new InputError(CLOSED));
    expect(() =>
      check(
        ['GET /api/app/b', 'closed'],
        ['GET /api/catalog/ended', 'public'],
        ['GET /api/app/c', 'closed'],
      ),
    ).toThrow(new InputError(`${CLOSED}; and 2 more`));
  });

  it('does not throw where all hold, or held until a rule ended', () => {
    const check = (...rows: Parameters<typeof expecting>) =>
      assertExpectations(expecting(...rows), 'gate');
    expect(() => check()).not.toThrow();
    expect(() =>
      check(
        ['GET /api/catalog/ended', 'public'],
        ['GET /api/catalog/open/a', 'public'],
      ),
    ).not.toThrow();
  });
});
