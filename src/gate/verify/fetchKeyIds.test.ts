import { fetchKeyIds } from './fetchKeyIds';

const URL_OF_KEYS = 'http://backend/api/auth/.well-known/jwks.json';
const NO_KEY_SET = 'its answer is no key set';

const keySet = (keys: unknown, status = 200) =>
  Response.json({ keys }, { status });
const empty = (status: number) => new Response(null, { status });

describe('fetchKeyIds', () => {
  let fetched: jest.SpiedFunction<typeof fetch>;
  beforeEach(() => {
    fetched = jest.spyOn(global, 'fetch');
  });
  afterEach(() => fetched.mockRestore());

  it('asks the endpoint once, with a limit of time, and follows no redirect', async () => {
    fetched.mockResolvedValue(keySet([]));
    await fetchKeyIds(URL_OF_KEYS);
    const options = { signal: expect.any(AbortSignal), redirect: 'manual' };
    expect(fetched.mock.calls).toEqual([[URL_OF_KEYS, options]]);
  });

  it.each([
    ['no key', [], keySet([])],
    ['keys', ['a', undefined, 7], keySet([{ kid: 'a' }, {}, { kid: 7 }])],
    ['404', 'not-found', empty(404)],
    ['404 and a key', 'not-found', keySet([{ kid: 'a' }], 404)],
    ['508', 'not-found', new Response('{}', { status: 508 })],
  ])('reads an answer with %s as %j', async (_, ids, answer) => {
    fetched.mockResolvedValue(answer);
    expect(await fetchKeyIds(URL_OF_KEYS)).toEqual(ids);
  });

  it.each([
    ['ECONNREFUSED', { cause: { code: 'ECONNREFUSED' } }],
    ['TypeError', {}],
  ])('throws for no answer that the request failed (%s)', async (why, init) => {
    fetched.mockRejectedValue(new TypeError('no', init));
    await expect(fetchKeyIds(URL_OF_KEYS)).rejects.toThrow(
      new Error(`the request failed (${why})`),
    );
  });

  it.each([
    ['500', 'it answers 500', keySet([{ kid: 'a' }], 500)],
    ['a redirect', 'it answers 302', empty(302)],
    ['no JSON', NO_KEY_SET, new Response('<html>')],
    ['null', NO_KEY_SET, Response.json(null)],
    ['no list of keys', NO_KEY_SET, keySet({ length: 1 })],
    ['a key that is null', NO_KEY_SET, keySet([{}, null])],
    ['a key that is text', NO_KEY_SET, keySet([{}, 'key'])],
  ])('throws for an answer with %s that %s', async (_, message, answer) => {
    fetched.mockResolvedValue(answer);
    await expect(fetchKeyIds(URL_OF_KEYS)).rejects.toThrow(new Error(message));
  });
});
