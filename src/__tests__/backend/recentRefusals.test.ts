import { sumBy } from 'lodash';
import { blocksAfter } from '../__testUtils__/documents';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { describeWithCurl, runShell } from '../__testUtils__/runShell';
import {
  SignedBackendOptions,
  signedBackends,
} from '../__testUtils__/signedBackends';
import { webSocketPlugin } from '../__testUtils__/webSocketPlugin';

const OPERATOR = 'user:development/guest';

const backends = signedBackends();
afterEach(backends.stopAll);

/** Starts a backend, and reads what an operator reads of it. */
async function start(options: SignedBackendOptions = {}) {
  const backend = await backends.start({
    ...options,
    features: [
      recordingPlugin('hello').feature,
      webSocketPlugin('live', { '/ws': undefined }).feature,
    ],
    apiGate: { operators: [OPERATOR], ...options.apiGate },
  });
  const operator = await backend.guest();
  return {
    ...backend,
    operator,
    refusals: async () => (await backend.policy(operator)).refusals,
    report: () => backend.policy(operator),
  };
}

const idOf = ({ headers }: { headers: Record<string, any> }) =>
  headers['api-gate-decision'];

describe('[P86] the last refusals', () => {
  it('have each of the last 200 ids, and the number of all, though the log has a line for the first of each kind', async () => {
    const { get, logged, refusals } = await start();
    const ids: string[] = [];
    for (let i = 0; i < 230; i += 1) {
      ids.push(idOf(await get(`/api/hello/${i}`)));
    }
    const { counts, last, since } = await refusals();
    expect(logged('API gate refused').length).toBeLessThan(25);
    expect(last.map(({ id }) => id)).toEqual(ids.slice(30).reverse());
    expect(last[0]).toEqual({
      id: ids.at(-1),
      time: expect.any(String),
      outcome: 'refused',
      reason: 'missing-credentials',
      plugin: 'hello',
      method: 'GET',
      path: '/229',
    });
    expect(Math.abs(Date.now() - Date.parse(last[0].time))).toBeLessThan(
      30_000,
    );
    expect(sumBy(counts, 'requests')).toBe(230);
    expect(counts[0]).toEqual({
      plugin: 'hello',
      outcome: 'refused',
      method: 'GET',
      reason: 'missing-credentials',
      requests: 210,
      firstSeen: expect.any(String),
      lastSeen: expect.any(String),
      lastId: ids.at(-1),
    });
    expect(Date.parse(since)).toBeLessThanOrEqual(Date.parse(last[199].time));
  });
});

describeWithCurl('docs/troubleshooting.md', () => {
  const [command] = blocksAfter('docs/troubleshooting.md', 'From an id', 'sh');

  // In development, Backstage sends JSON with line breaks.
  it.each(['test', 'development'])(
    'finds a refusal by its id (NODE_ENV %s)',
    async NODE_ENV => {
      const env = jest.replaceProperty(process, 'env', {
        ...process.env,
        NODE_ENV,
      });
      const { get, operator, url } = await start();
      env.restore();
      await get('/api/hello/before');
      const id = idOf(await get('/api/hello/data'));
      await get('/api/hello/after');
      const find = (wanted: string) =>
        runShell(command.replace(/\b[0-9a-f]{16}\b/, wanted), {
          url,
          env: { TOKEN: operator },
        });
      const found = JSON.parse(await find(id));
      expect(found).toMatchObject({ id, reason: 'missing-credentials' });
      expect(found.path).toBe('/data');
      await expect(find('0'.repeat(16))).rejects.toMatchObject({ stdout: '' });
    },
  );
});
