import { EventLimit } from './EventLimit';

function create() {
  const emitted: [event: string, omitted: number][] = [];
  const limit = new EventLimit<string>((event, omitted) => {
    emitted.push([event, omitted]);
  });
  return { limit, take: () => emitted.splice(0) };
}

describe('[P26] EventLimit', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('emits the first event of each key at once', () => {
    const { limit, take } = create();
    limit.add('a', 'a1');
    limit.add('b', 'b1');
    limit.add('a', 'a2');
    expect(take()).toEqual([
      ['a1', 0],
      ['b1', 0],
    ]);
  });

  it('emits the latest of each second with the number left out before it', () => {
    const { limit, take } = create();
    for (let i = 0; i < 25; i += 1) {
      limit.add('a', `a${i}`);
      jest.advanceTimersByTime(100);
    }
    expect(take()).toEqual([
      ['a0', 0],
      ['a9', 8],
      ['a19', 9],
    ]);
  });

  it('loses none when a flood ends, and none when the process does', () => {
    const { limit, take } = create();
    ['a1', 'a2', 'a3'].forEach(event => limit.add('a', event));
    take();
    jest.advanceTimersByTime(1_000);
    expect(take()).toEqual([['a3', 1]]);
    limit.add('a', 'a4');
    limit.add('b', 'b1');
    limit.flush();
    expect(take()).toEqual([
      ['b1', 0],
      ['a4', 0],
    ]);
    jest.advanceTimersByTime(10_000);
    expect(take()).toEqual([]);
  });

  it('emits at once again after a second without events', () => {
    const { limit, take } = create();
    limit.add('a', 'a1');
    jest.advanceTimersByTime(1_000);
    limit.add('a', 'a2');
    expect(take()).toEqual([
      ['a1', 0],
      ['a2', 0],
    ]);
    expect(jest.getTimerCount()).toBe(1);
    jest.advanceTimersByTime(1_000);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('emits one event a second also where the timer is late', () => {
    const { limit, take } = create();
    limit.add('a', 'a1');
    limit.add('a', 'a2');
    jest.setSystemTime(Date.now() + 1_500);
    limit.add('a', 'a3');
    expect(take()).toEqual([
      ['a1', 0],
      ['a2', 0],
    ]);
    expect(jest.getTimerCount()).toBe(1);
    jest.advanceTimersByTime(1_000);
    expect(take()).toEqual([['a3', 0]]);
  });

  it('keeps a hundred keys, and gives one to all others', () => {
    const { limit, take } = create();
    for (let i = 0; i < 5_000; i += 1) {
      limit.add(`key${i}`, `event${i}`);
    }
    expect(take()).toHaveLength(101);
    expect(jest.getTimerCount()).toBe(101);
    jest.advanceTimersByTime(1_000);
    expect(take()).toEqual([['event4999', 4_898]]);
  });

  it('goes on after an event that could not be emitted', () => {
    const emit = jest.fn();
    const limit = new EventLimit<string>(emit);
    limit.add('a', 'a1');
    limit.add('a', 'a2');
    emit.mockImplementation(() => {
      throw new Error('The log is full');
    });
    jest.advanceTimersByTime(1_000);
    emit.mockReset();
    limit.add('a', 'a3');
    jest.advanceTimersByTime(1_000);
    expect(emit.mock.calls).toEqual([['a3', 0]]);
  });
});
