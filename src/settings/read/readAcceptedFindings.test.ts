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
});
