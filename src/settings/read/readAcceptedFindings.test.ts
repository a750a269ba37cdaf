import type { JsonObject } from '@backstage/types';
import { FINDING_IDS, readAcceptedFindings } from './readAcceptedFindings';

const read = (value: unknown) => readAcceptedFindings(value, 'findings');
const entry = {
  id: 'rule-opens-plugin',
  at: 'auth.apiGate.allow[0]',
  reason: 'x',
};

describe('readAcceptedFindings', () => {
  it('reads no entries where there are none', () => {
    expect([read(undefined), read({})]).toEqual([[], []]);
  });

  it('reads the entries', () => {
    expect(read({ accept: [entry, entry] })).toStrictEqual([entry, entry]);
  });

  it.each(FINDING_IDS)('reads the id %s', id => {
    expect(read({ accept: [{ ...entry, id }] })).toEqual([{ ...entry, id }]);
  });

  it.each<[JsonObject, string]>([
    [
      { id: 'rule-open' },
      'id must be one of anyone-may-sign-in, external-tokens-unlimited',
    ],
    [{ id: null }, 'id must be one of'],
    [{ at: '' }, 'at must be the place that the finding names, such as'],
    [{ at: null }, 'at must be the place'],
    [{ reason: '' }, 'reason must be text that says why'],
    [{ reason: null }, 'reason must be text that says why'],
    [{ till: 'x' }, 'till is not known: use id, at, reason'],
  ])('refuses the entry with %j', (changed, message) => {
    expect(() => read({ accept: [entry, { ...entry, ...changed }] })).toThrow(
      `findings.accept[1].${message}`,
    );
  });

  it('refuses other keys, and a value that is no list', () => {
    expect(() => read({ ignore: [] })).toThrow(
      'findings.ignore is not known: use accept',
    );
    expect(() => read({ accept: 'all' })).toThrow(
      'findings.accept must be a list of objects, each with an id, a place (at) and a reason',
    );
  });
});
