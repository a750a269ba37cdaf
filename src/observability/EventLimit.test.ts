import { EventLimit } from './EventLimit';

function create() {
  const emitted: [event: string, omitted: number][] = [];
  const labels: string[] = [];
  const groups: [key: string, size: number][] = [];
  const limit = new EventLimit<string>(
    (event, omitted, left) => {
      emitted.push([event, omitted]);
      labels.push(...left);
    },
    (key, group) => {
      groups.push([key, group.length]);
      labels.push(...group);
    },
  );
  return {
    /** Adds an event that is its own label. */
    add: (key: string, event: string) => limit.add(key, event, event),
    limit,
    take: () => emitted.splice(0),
    takeGroups: () => groups.splice(0),
    takeLabels: () => labels.splice(0),
  };
}

describe('[P26] EventLimit', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('emits the first event of each key at once', () => {
    const { add, take } = create();
    add('a', 'a1');
    add('b', 'b1');
    add('a', 'a2');
    expect(take()).toEqual([
      ['a1', 0],
      ['b1', 0],
    ]);
  });

  it('emits the latest of each second with the number left out before it', () => {
    const { add, take } = create();
    for (let i = 0; i < 25; i += 1) {
      add('a', `a${i}`);
      jest.advanceTimersByTime(100);
    }
    expect(take()).toEqual([
      ['a0', 0],
      ['a9', 8],
      ['a19', 9],
    ]);
  });

  it('loses none when a flood ends, and none when the process does', () => {
    const { add, limit, take } = create();
    ['a1', 'a2', 'a3'].forEach(event => add('a', event));
    take();
    jest.advanceTimersByTime(1_000);
    expect(take()).toEqual([['a3', 1]]);
    add('a', 'a4');
    add('b', 'b1');
    limit.stop();
    expect(take()).toEqual([
      ['b1', 0],
      ['a4', 0],
    ]);
    add('a', 'a5');
    add('a', 'a6');
    expect(take()).toEqual([
      ['a5', 0],
      ['a6', 0],
    ]);
    jest.advanceTimersByTime(10_000);
    expect(take()).toEqual([]);
  });

  it('emits at once again after a second without events', () => {
    const { add, take } = create();
    add('a', 'a1');
    jest.advanceTimersByTime(1_000);
    add('a', 'a2');
    expect(take()).toEqual([
      ['a1', 0],
      ['a2', 0],
    ]);
    expect(jest.getTimerCount()).toBe(1);
    jest.advanceTimersByTime(1_000);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('emits one event a second also where the timer is late', () => {
    const { add, take } = create();
    add('a', 'a1');
    add('a', 'a2');
    jest.setSystemTime(Date.now() + 1_000);
    add('a', 'a3');
    expect(take()).toEqual([
      ['a1', 0],
      ['a2', 0],
    ]);
    expect(jest.getTimerCount()).toBe(1);
    jest.advanceTimersByTime(1_000);
    expect(take()).toEqual([['a3', 0]]);
  });

  it('keeps a hundred keys, and gives one to all others', () => {
    const { add, take } = create();
    for (let i = 0; i < 5_000; i += 1) {
      add(`key${i}`, `event${i}`);
    }
    expect(take()).toHaveLength(101);
    expect(jest.getTimerCount()).toBe(101);
    jest.advanceTimersByTime(1_000);
    expect(take()).toEqual([['event4999', 4_898]]);
  });

  it('emits the label of each event that is left out, in groups during a flood', () => {
    const { add, take, takeGroups, takeLabels } = create();
    for (let i = 0; i < 2_502; i += 1) {
      add('a', `event${i}`);
    }
    // The first event has been emitted, and the latest one waits.
    const groups = takeGroups();
    expect(groups.length).toBeGreaterThan(5);
    for (const [key, size] of groups) {
      // Each label has nine to twelve bytes as JSON.
      expect([key, size > 300 && size < 500]).toEqual(['a', true]);
    }
    jest.advanceTimersByTime(1_000);
    expect(take()).toEqual([
      ['event0', 0],
      ['event2501', 2_500],
    ]);
    expect(takeGroups()).toEqual([]);
    expect(takeLabels()).toEqual(
      Array.from({ length: 2_500 }, (_, i) => `event${i + 1}`),
    );
  });

  it('emits a group once its labels have more than 4,000 bytes, for all further keys as one', () => {
    const { add, limit, takeGroups } = create();
    for (let i = 0; i < 100; i += 1) {
      add(`key${i}`, '');
    }
    for (let i = 0; i < 12; i += 1) {
      // Ten labels wait, each of which has 400 bytes as JSON.
      limit.add('further', 'x'.repeat(389), '');
    }
    expect(takeGroups()).toEqual([]);
    limit.add('further', 'x', '');
    expect(takeGroups()).toEqual([['…', 11]]);
  });

  it('adds the key to the labels that several keys share', () => {
    const { add, takeLabels } = create();
    for (let i = 0; i < 103; i += 1) {
      add(`key${i}`, `event${i}`);
      add('key0', `again${i}`);
    }
    jest.advanceTimersByTime(1_000);
    const labels = takeLabels();
    expect(labels).toContain('again7');
    expect(labels.filter(label => label.startsWith('event'))).toEqual([
      'event101 key101',
    ]);
  });

  it('goes on after an event that could not be emitted', () => {
    const emit = jest.fn();
    const limit = new EventLimit<string>(emit, () => {});
    limit.add('a', '1', 'a1');
    limit.add('a', '2', 'a2');
    emit.mockImplementation(() => {
      throw new Error('The log is full');
    });
    jest.advanceTimersByTime(1_000);
    emit.mockReset();
    limit.add('a', '3', 'a3');
    jest.advanceTimersByTime(1_000);
    expect(emit.mock.calls).toEqual([['a3', 0, []]]);
  });
});
