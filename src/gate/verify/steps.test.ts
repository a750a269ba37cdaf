import { awaited, run, Steps } from './steps';

/** A promise of a service's own kind. */
const ownPromise = (settle: (resolve: (value: number) => void) => void) =>
  ({
    then: (onValue: (value: number) => unknown) => settle(onValue),
  }) as unknown as Promise<number>;

function* add(...values: (number | Promise<number>)[]): Steps<number> {
  let sum = 0;
  for (const value of values) {
    sum += yield* awaited(value);
  }
  return sum;
}

describe('run', () => {
  it('returns a value where no step waits', () => {
    expect(run(add(1, 2))).toBe(3);
    expect(run(add())).toBe(0);
  });

  it('returns a promise where a step waits, for a service’s own kind of promise too', async () => {
    const sum = run(
      add(
        1,
        Promise.resolve(2),
        ownPromise(resolve => setImmediate(resolve, 3)),
      ),
    );
    expect(sum).toBeInstanceOf(Promise);
    expect(await sum).toBe(6);
  });

  it('throws what a step throws, at once or later', async () => {
    const failing = function* fail(value: number | Promise<number>) {
      yield* add(value);
      throw new Error('not thought of');
    };
    expect(() => run(failing(1))).toThrow('not thought of');
    await expect(run(failing(Promise.resolve(1)))).rejects.toThrow(
      'not thought of',
    );
  });

  it('has a step catch the rejection that it waits for', async () => {
    const catching = function* recover(): Steps<string> {
      try {
        yield* awaited(Promise.reject(new Error('rejected')));
        return 'no';
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(await run(catching())).toBe('rejected');
  });
});
