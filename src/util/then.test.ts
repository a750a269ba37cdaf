import { isPromise, then } from './then';

const fail = () => {
  throw new Error('no');
};

describe('then', () => {
  it('calls the function at once if the value is there', () => {
    expect(then(1, value => value + 1)).toBe(2);
    expect(then(undefined, value => String(value))).toBe('undefined');
    expect(() => then(1, fail)).toThrow('no');
  });

  it('waits for a promise, of whichever kind', async () => {
    const later = then(Promise.resolve(1), value => value + 1);
    expect(isPromise(later)).toBe(true);
    expect(await later).toBe(2);
    await expect(then(Promise.resolve(1), fail)).rejects.toThrow('no');
    await expect(then(Promise.reject(new Error('a')), fail)).rejects.toThrow(
      'a',
    );
    const thenable = {
      then: (next: (value: number) => unknown) => next(1),
    } as unknown as Promise<number>;
    expect(then(thenable, value => value + 1)).toBe(2);
  });
});
