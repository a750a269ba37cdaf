import { OfflineSessions } from './OfflineSessions';

const JANE = 'user:default/jane';

let fetched: { url: string; init: RequestInit }[];
let answer: () => Response | Promise<Response>;
let log: unknown[][];
let endedLater: unknown[][];
const created: OfflineSessions[] = [];

beforeEach(() => {
  jest.useFakeTimers();
  fetched = [];
  log = [];
  endedLater = [];
  answer = () => Response.json({ revokedCount: 2 });
  jest.spyOn(global, 'fetch').mockImplementation(async (url, init) => {
    fetched.push({ url: String(url), init: init! });
    return answer();
  });
});
afterEach(() => {
  created.splice(0).forEach(each => each.stop());
  jest.restoreAllMocks();
  jest.useRealTimers();
});

function create({ isEnabled }: { isEnabled?: boolean } = { isEnabled: true }) {
  const sessions = new OfflineSessions({
    services: () =>
      ({
        auth: {
          getOwnServiceCredentials: async () => ({}),
          getPluginRequestToken: async ({ targetPluginId }: any) => ({
            token: `service-token-for-${targetPluginId}`,
          }),
        },
        discovery: {
          getBaseUrl: async (id: string) => `http://auth/api/${id}`,
        },
      }) as never,
    isEnabled: () => isEnabled,
    logger: {
      warn: (...line: unknown[]) => log.push(line),
      info: (...line: unknown[]) => log.push(line),
    } as never,
    onEndedLater: (...ended) => endedLater.push(ended),
  });
  created.push(sessions);
  return sessions;
}

const gone = () => {
  throw new TypeError('fetch failed');
};
const failing = (status: number) => () => new Response('{}', { status });

describe('[P20] OfflineSessions', () => {
  it('calls the auth plugin, as a service', async () => {
    expect(await create().end(JANE)).toEqual({ ended: 2 });
    expect(fetched).toMatchObject([
      {
        url: 'http://auth/api/auth/v1/offline-sessions/revoke',
        init: {
          method: 'POST',
          headers: {
            Authorization: 'Bearer service-token-for-auth',
            Connection: 'close',
            'Content-Type': 'application/json',
          },
          body: `{"userEntityRef":"${JANE}"}`,
          redirect: 'error',
        },
      },
    ]);
  });

  it('sends no request if refresh tokens are disabled', async () => {
    expect(await create({ isEnabled: false }).end(JANE)).toBe('disabled');
    expect(fetched).toEqual([]);
  });

  it.each<[boolean | undefined, number, string]>([
    [true, 404, 'unsupported'],
    [true, 400, 'unsupported'],
    [undefined, 404, 'unsupported'],
    [undefined, 400, 'unsupported'],
  ])('with %p and a %p it is %p', async (isEnabled, status, expected) => {
    answer = failing(status);
    expect(await create({ isEnabled }).end(JANE)).toBe(expected);
  });

  it('accepts an answer without a body, and one without a number', async () => {
    answer = () => new Response(null, { status: 404 });
    expect(await create().end(JANE)).toBe('unsupported');
    answer = () => Response.json({});
    expect(await create().end(JANE)).toEqual({ ended: 0 });
  });

  it.each([
    ['an error', gone, 'TypeError'],
    ['what is no error', () => Promise.reject('text'), 'string'],
  ])('logs the kind of %s at its third try', async (_, fails, kind) => {
    answer = fails;
    await create()
      .end(JANE)
      .catch(() => {});
    await jest.advanceTimersByTimeAsync(29_999);
    expect(log).toEqual([]);
    await jest.advanceTimersByTimeAsync(600_000);
    expect(log).toEqual([
      [
        'API gate can not end refresh tokens of OAuth clients: the auth plugin is out of reach, and the gate will retry',
        { errorType: kind },
      ],
    ]);
    answer = () => Response.json({ revokedCount: 1 });
    await jest.advanceTimersByTimeAsync(600_000);
    expect(log.slice(1)).toEqual([
      ['API gate can end refresh tokens of OAuth clients again'],
    ]);
  });

  it.each([
    ['no answer', gone],
    ['401', failing(401)],
    ['403', failing(403)],
    ['500', failing(500)],
    ['no JSON', () => new Response('x')],
  ])(
    'with %s it fails, and is tried again until it works',
    async (_, fails) => {
      answer = fails;
      const sessions = create();
      await expect(sessions.end(JANE)).rejects.toThrow();
      await jest.advanceTimersByTimeAsync(19_999);
      expect(fetched).toHaveLength(2);
      answer = () => Response.json({ revokedCount: 1 });
      await jest.advanceTimersByTimeAsync(1);
      expect(endedLater).toEqual([[JANE, { ended: 1 }]]);
      await jest.advanceTimersByTimeAsync(600_000);
      expect(fetched).toHaveLength(3);
    },
  );

  it('holds a user once, whatever the spelling, and none that succeeds meanwhile', async () => {
    answer = gone;
    const sessions = create();
    await sessions.end(JANE).catch(() => {});
    await sessions.end('User:default/Jane').catch(() => {});
    await sessions.end('user:default/joe').catch(() => {});
    answer = () => Response.json({ revokedCount: 0 });
    await sessions.end('user:default/joe');
    await jest.advanceTimersByTimeAsync(10_000);
    expect(endedLater).toEqual([['User:default/Jane', { ended: 0 }]]);
  });

  it('leaves out a user whose next sign-out succeeds during a retry', async () => {
    answer = gone;
    const sessions = create();
    await sessions.end(JANE).catch(() => {});
    await sessions.end('user:default/joe').catch(() => {});
    answer = async () => {
      await new Promise(resolve => setTimeout(resolve, 500));
      return Response.json({ revokedCount: 1 });
    };
    await jest.advanceTimersByTimeAsync(10_000);
    answer = () => Response.json({ revokedCount: 2 });
    expect(await sessions.end('user:default/joe')).toEqual({ ended: 2 });
    await jest.advanceTimersByTimeAsync(10_000);
    expect(endedLater).toEqual([[JANE, { ended: 1 }]]);
  });

  it('tries the others while it fails for one user', async () => {
    answer = gone;
    const sessions = create();
    for (const user of [JANE, 'user:default/joe', 'user:default/jim']) {
      await sessions.end(user).catch(() => {});
    }
    answer = () =>
      String(fetched.at(-1)!.init.body).includes(JANE)
        ? failing(500)()
        : Response.json({ revokedCount: 1 });
    await jest.advanceTimersByTimeAsync(20_000);
    expect(endedLater).toEqual([
      ['user:default/joe', { ended: 1 }],
      ['user:default/jim', { ended: 1 }],
    ]);
  });

  it('tries no more once it was stopped', async () => {
    answer = gone;
    const sessions = create();
    await sessions.end(JANE).catch(() => {});
    sessions.stop();
    await sessions.end(JANE).catch(() => {});
    await jest.advanceTimersByTimeAsync(600_000);
    expect(fetched).toHaveLength(2);
  });

  it('tries nothing again that fails after it was stopped', async () => {
    answer = gone;
    const sessions = create();
    sessions.stop();
    await sessions.end(JANE).catch(() => {});
    await jest.advanceTimersByTimeAsync(600_000);
    expect(fetched).toHaveLength(1);
  });

  it('logs at start what to do about an auth plugin without the route', async () => {
    answer = () => new Response(null, { status: 404 });
    await create().check();
    expect(log).toEqual([
      [
        expect.stringMatching(
          /^API gate: auth\.experimentalRefreshToken\.enabled is true, .* Update @backstage\/plugin-auth-backend to 0\.31 or later$/,
        ),
      ],
    ]);
  });

  it.each<[boolean | undefined, number, number]>([
    [true, 404, 1],
    [true, 400, 0],
    [false, 404, 0],
    [undefined, 404, 0],
  ])(
    'with %p and a %p at start logs %p warning(s), and ends nothing',
    async (isEnabled, status, warnings) => {
      answer = failing(status);
      await create({ isEnabled }).check();
      expect(log).toHaveLength(warnings);
      expect(fetched.every(({ init }) => init.body === '{}')).toBe(true);
    },
  );
});
