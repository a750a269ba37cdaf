import type { JsonObject } from '@backstage/types';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { folderWith, runCliIn } from '../__testUtils__/runCli';
import { signedBackends } from '../__testUtils__/signedBackends';

const backends = signedBackends();
afterEach(backends.stopAll);

const start = (apiGate: JsonObject) =>
  backends.start({
    apiGate,
    withAuth: false,
    features: [
      recordingPlugin('hello').feature,
      recordingPlugin('secrets').feature,
    ],
  });

const OPEN = { plugin: 'hello', path: '/open' };
const WRONG = { plugin: 'secrets', path: '/health' };
const MESSAGE =
  'auth.apiGate.allow[1] opens a path of the plugin secrets, which auth.apiGate.closed has: remove the rule, or the plugin from auth.apiGate.closed';

describe('[P121] a plugin that auth.apiGate.closed has', () => {
  it.each([
    ['from now on', WRONG],
    ['until a day that has passed', { ...WRONG, until: '2020-01-01' }],
  ])(
    'stops the start of a backend with a rule for it %s, and api-gate check fails',
    async (_, rule) => {
      const apiGate = { closed: ['secrets'], allow: [OPEN, rule] };
      await expect(start(apiGate)).rejects.toThrow(MESSAGE);
      const cwd = folderWith({
        'app-config.yaml': JSON.stringify({
          backend: { baseUrl: 'http://localhost:7007' },
          auth: { apiGate },
        }),
      });
      expect(await runCliIn(['check'], { cwd })).toMatchObject({
        code: 2,
        stderr: expect.stringContaining(`: ${MESSAGE}\n`),
      });
    },
  );

  it('stays closed when a changed file opens it: nothing of that file is in force, and the log says so', async () => {
    const { change, logged, statusOf } = await start({
      closed: ['secrets'],
      allow: [OPEN],
    });
    const statuses = () =>
      Promise.all(
        ['hello/open', 'hello/also', 'secrets/health'].map(path =>
          statusOf(`/api/${path}`),
        ),
      );
    expect(await statuses()).toEqual([200, 401, 401]);
    const also = { plugin: 'hello', path: '/also' };
    change({ apiGate: { closed: ['secrets'], allow: [also, WRONG] } });
    expect(await statuses()).toEqual([200, 401, 401]);
    expect(
      logged(
        `API gate keeps its policy, as the new configuration is wrong: ${MESSAGE}`,
        'error',
      ),
    ).toHaveLength(1);
    change({ apiGate: { closed: ['secrets'], allow: [also] } });
    expect(await statuses()).toEqual([401, 200, 401]);
  });

  it('is a finding where it is not installed, and stops nothing', async () => {
    const { logged, statusOf } = await start({ closed: ['secret', 'hello'] });
    expect(await statusOf('/api/secrets/health')).toBe(401);
    expect(
      logged(
        'auth.apiGate.closed[0] (secret): names the plugin secret, which is not installed in this backend (did you mean secrets?): ',
        'warn',
      ),
    ).toHaveLength(1);
  });
});
