import { InputError } from '@backstage/errors';
import {
  allowOf,
  nameOf,
  rejected,
  taken,
} from '../__testUtils__/allowRuleRows';
import { readAllowRules } from './readAllowRules';

describe('readAllowRules', () => {
  it('has a table to walk', () => {
    expect(rejected.length).toBeGreaterThan(30);
    expect(taken.length).toBeGreaterThan(10);
  });

  it.each(rejected.map(row => [nameOf(row), row] as const))(
    'rejects %s',
    (_, row) => {
      const read = () => readAllowRules(allowOf(row), 'auth.apiGate.allow');
      expect(read).toThrow(/^auth\.apiGate\.allow\S* [^\n]+$/);
    },
  );

  it.each(taken.map(row => [nameOf(row), row] as const))(
    'takes %s',
    (_, row) => {
      const read = () => readAllowRules(allowOf(row), 'auth.apiGate.allow');
      expect(read).not.toThrow();
    },
  );

  it.each([
    [{ plugin: 'pub', path: 'health' }, '[0].path must be text that starts'],
    [
      { plugin: 'pub', path: '/h', methods: ['get'] },
      '[0].methods[0] must be in upper case: GET',
    ],
    [{ plugin: 'pub', path: '/health/' }, 'write /health'],
    [{ plugin: 'pub', path: '/a//**' }, 'write /a/**'],
    [
      { plugin: 'pub', path: '//**' },
      '[0].path has an empty segment before /**, as a variable without a value leaves it: write the path that is meant, or /** for the whole plugin',
    ],
    [{ plugin: 'pub', path: '//' }, 'write /'],
    [{ plugin: 'pub', path: '/api/pub/x' }, 'leave out the leading /api/pub'],
    [
      { plugin: 'pub', path: '/h', method: ['GET'] },
      '[0].method is not known: use plugin, path, methods, reason',
    ],
    [
      { plugin: 'Pub', path: '/h' },
      '[0].plugin must be one plugin id in lower case',
    ],
    [{ path: '/h' }, '[0].plugin must be one plugin id'],
    [{ plugin: 'pub' }, '[0].path must be text'],
    [null, '[0] must be an object with the keys plugin, path'],
    [{ plugin: 'pub', path: '/api/pub' }, 'leave out the leading /api/pub'],
    [{ plugin: 'pub', path: '/a*' }, 'a wildcard only as a trailing /**'],
    [
      { plugin: 'pub', path: '/h', methods: ['TRACE'] },
      '[0].methods[0] must be a method that can be made public, such as GET',
    ],
    [
      { plugin: 'pub', path: `/${'a'.repeat(1000)}` },
      '[0].path must be at most 1000 characters long',
    ],
  ])('says of %j what to write instead', (rule, message) => {
    expect(() => readAllowRules([rule], 'auth.apiGate.allow')).toThrow(message);
  });

  it.each([
    ['/health/', '/health'],
    ['/a///', '/a'],
    ['/a//**', '/a/**'],
    ['//', '/'],
  ])('says of a path %s to write %s', (path, expected) => {
    const read = () => readAllowRules([{ plugin: 'pub', path }], 'allow');
    expect(read).toThrow(
      new InputError(
        `allow[0].path must not end with a slash: write ${expected}`,
      ),
    );
  });

  it.each([undefined, null, []])('reads %j as no rules', value => {
    expect(readAllowRules(value, 'allow')).toEqual([]);
  });

  it('takes a path of 1000 characters', () => {
    const path = `/${'a'.repeat(999)}`;
    const rules = readAllowRules([{ plugin: 'pub', path }], 'allow');
    expect(rules).toStrictEqual([{ plugin: 'pub', path, methods: ['GET'] }]);
  });

  it('keeps the reason', () => {
    const rule = {
      plugin: 'pub',
      path: '/a/**',
      methods: ['GET', 'OPTIONS'],
      reason: 'status page',
    };
    expect(readAllowRules([rule], 'allow')).toStrictEqual([rule]);
  });

  it('names the rule in a list', () => {
    expect(() =>
      readAllowRules(
        [
          { plugin: 'a', path: '/a' },
          { plugin: 'b', path: '/b' },
          { plugin: 'c', path: 'c' },
        ],
        'auth.apiGate.allow',
      ),
    ).toThrow('auth.apiGate.allow[2].path must be text');
  });
});
