import { OTHERS, RefusalCounts, RefusalKind } from './RefusalCounts';

function create() {
  const info = jest.fn();
  const counts = new RefusalCounts({ info });
  let ids = 0;
  return {
    counts,
    info,
    add(kind: Partial<RefusalKind> = {}, status?: number) {
      ids += 1;
      const outcome = kind.answer ? 'would-refuse' : 'refused';
      return counts.add(
        {
          ...{ plugin: 'hello', method: 'GET', path: '/x', outcome },
          ...{ reason: 'missing-credentials', ...kind },
        },
        { id: `${ids}`, status },
      );
    },
    /** Returns the fields of the new lines. */
    take: () => info.mock.calls.splice(0).map(([, meta]) => meta),
    paths: () => counts.list().map(({ path }) => path),
  };
}

const HOUR_MS = 3_600_000;
const many = (length: number) => Array.from({ length }, (_, i) => i);

describe('[P26] the log of refusals', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: Date.parse('2026-11-28T12:00:00Z') });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('has a line at once for the first of each plugin, method, path, reason, detail, subject, outcome and answer', () => {
    const { add, info, take } = create();
    const kinds: Partial<RefusalKind>[] = [
      {},
      { plugin: 'other' },
      { method: 'POST' },
      { path: '/y' },
      { path: undefined },
      { reason: 'invalid-token' },
      { reason: 'invalid-token', detail: 'expired' },
      { reason: 'restricted', subject: 'ci' },
      { answer: 'refused' },
      { answer: 'worked' },
    ];
    for (const kind of [...kinds, ...kinds]) {
      add(kind);
    }
    const messages = info.mock.calls.map(([message]) => message);
    expect(messages).toEqual([
      ...Array(8).fill('API gate refused a request'),
      ...Array(2).fill('API gate would have refused a request'),
    ]);
    expect(take().map(({ decision }) => decision)).toEqual(
      many(10).map(i => `${i + 1}`),
    );
  });

  it('has these fields, and no others', () => {
    const { add, take } = create();
    add({ reason: 'restricted', detail: 'only', subject: 'ci' });
    add({ answer: 'worked' }, 304);
    const known = { plugin: 'hello', method: 'GET', path: '/x', requests: 1 };
    expect(take()).toStrictEqual([
      {
        ...{ ...known, reason: 'restricted', detail: 'only', subject: 'ci' },
        decision: '1',
      },
      {
        ...{ ...known, reason: 'missing-credentials', answer: 'worked' },
        ...{ status: 304, decision: '2' },
      },
    ]);
  });

  it('[P116] says what to write for an external token without an entry, and for no other', () => {
    const { add, take } = create();
    add({ reason: 'restricted', detail: 'no-entry', subject: 'ci' });
    add({ reason: 'restricted', detail: 'only', subject: 'ci' });
    expect(take().map(({ remedy }) => remedy)).toEqual([
      'add an entry with this subject, and with this request in only, to auth.apiGate.tokens',
      undefined,
    ]);
  });

  it('has a line an hour for each kind that was refused again, so that all lines add up to all refusals', () => {
    const { add, counts, info, take } = create();
    for (const i of many(3_000)) {
      add({ path: i % 3 ? '/often' : '/x' });
    }
    add({ path: '/once' });
    expect(take()).toMatchObject([
      { path: '/x', requests: 1, decision: '1' },
      { path: '/often', requests: 1, decision: '2' },
      { path: '/once', requests: 1, decision: '3001' },
    ]);
    jest.advanceTimersByTime(HOUR_MS);
    expect(info.mock.calls[0][0]).toBe('API gate refused requests');
    expect(take()).toMatchObject([
      { path: '/x', requests: 999, decision: '2998' },
      { path: '/often', requests: 1_999, decision: '3000' },
    ]);
    add({ path: '/often' });
    jest.advanceTimersByTime(HOUR_MS);
    expect(take()).toMatchObject([{ path: '/often', requests: 1 }]);
    jest.advanceTimersByTime(9 * HOUR_MS);
    expect(take()).toEqual([]);
    expect(counts.list()[0]).toEqual({
      ...{ plugin: 'hello', method: 'GET', path: '/often' },
      ...{ outcome: 'refused', reason: 'missing-credentials' },
      requests: 2_001,
      firstSeen: '2026-11-28T12:00:00.000Z',
      lastSeen: '2026-11-28T13:00:00.000Z',
      lastId: '3002',
    });
  });

  it('loses none when the process ends, and keeps no process alive', () => {
    const { add, counts, take } = create();
    for (const path of ['/x', '/x', '/y']) {
      add({ path });
    }
    take();
    counts.stop();
    expect(take()).toMatchObject([{ path: '/x', requests: 1 }]);
    add();
    add();
    expect(take().map(({ requests }) => requests)).toEqual([1, 1]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('goes on after a line that could not be logged', () => {
    const { add, info, take } = create();
    info.mockImplementation(() => {
      throw new Error('The log is full');
    });
    add();
    add();
    jest.advanceTimersByTime(HOUR_MS);
    info.mockReset();
    add();
    jest.advanceTimersByTime(HOUR_MS);
    expect(take()).toMatchObject([{ requests: 1, decision: '3' }]);
  });
});

describe('[P29] what is counted one by one', () => {
  it.each(['worked', undefined] as const)(
    'is each path, while another one of the same plugin floods with 10,000 ids (%s)',
    answer => {
      const { add, counts } = create();
      for (const i of many(10_000)) {
        add({ path: `/badge/${i}/svg`, answer });
        add({ path: `/badge/${i}`, answer });
        if (answer) {
          // Scanners, which find nothing.
          add({ path: `/scan${i}/x${i}`, answer: 'not-found' });
          add({ path: `/${i}`, method: `M${i}`, answer: 'not-found' });
        }
      }
      const others = many(18).map(i => `/path${i}/${'abc'[i % 3]}`);
      for (const path of others) {
        add({ path, answer });
      }
      const paths = counts
        .list()
        .filter(each => each.answer === answer)
        .map(({ path }) => path);
      const badges = ['*', ...many(10)].flatMap(id => [
        `/badge/${id}/svg`,
        `/badge/${id}`,
      ]);
      expect(paths.sort()).toEqual([...badges, ...others].sort());
      const [{ requests }] = counts
        .list()
        .filter(({ path }) => path === '/badge/*/svg');
      expect(requests).toBe(9_990);
    },
  );

  it('has a path as a rule would name it: never * in front, nor for a WebSocket', () => {
    const { add, paths } = create();
    for (const i of many(30)) {
      add({ path: `/top${i}/y` });
      add({ path: `/ws/${i}`, method: 'WEBSOCKET' });
    }
    expect(paths().filter(path => path?.includes('*'))).toEqual([]);
    expect(paths().filter(path => path === undefined)).toHaveLength(2);
  });
});

describe('[P31] the counts of refusals', () => {
  const flood = (
    { add }: Pick<ReturnType<typeof create>, 'add'>,
    plugins: number,
    kind: Partial<RefusalKind>,
  ) => {
    for (const i of many(200)) {
      for (const p of many(plugins)) {
        add({ ...kind, plugin: `p${p}`, path: `/a${i % 14}/b${i}` });
      }
    }
  };

  it('have 50 kinds of a plugin, and 500 in all, half of them for what worked; further ones are others of their plugin', () => {
    const gate = create();
    flood(gate, 40, {});
    flood(gate, 40, { answer: 'worked' });
    const list = gate.counts.list();
    const [others, named] = [true, false].map(isOthers =>
      list.filter(({ reason }) => (reason === OTHERS) === isOthers),
    );
    expect(others.length).toBeLessThanOrEqual(80);
    for (const answer of ['worked', undefined]) {
      const ofAnswer = named.filter(each => each.answer === answer);
      expect(ofAnswer.length).toBeLessThanOrEqual(250);
      expect(ofAnswer.length).toBeGreaterThan(200);
      const ofFirst = ofAnswer.filter(({ plugin }) => plugin === 'p0');
      expect(ofFirst.length).toBeLessThanOrEqual(50);
    }
    expect(others[0]).toMatchObject({ method: OTHERS });
    const sum = list.reduce((total, { requests }) => total + requests, 0);
    expect(sum).toBe(2 * 40 * 200);
  });

  it('have a place for what works while refusals have taken theirs', () => {
    const gate = create();
    flood(gate, 40, { answer: 'not-found' });
    gate.add({ plugin: 'badges', path: '/home', answer: 'worked' });
    expect(gate.counts.list()).toContainEqual(
      expect.objectContaining({ plugin: 'badges', path: '/home' }),
    );
  });
});
