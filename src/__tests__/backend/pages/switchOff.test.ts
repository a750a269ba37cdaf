import type { JsonObject } from '@backstage/types';
import { codeIn, tableRows } from '../../__testUtils__/documents';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { bearer, COOKIE_ENDPOINT } from '../../__testUtils__/requestParts';
import {
  SignedBackendOptions,
  signedBackends,
} from '../../__testUtils__/signedBackends';
import { temporaryFolder } from '../../__testUtils__/temporaryFolder';

const backends = signedBackends();
afterEach(backends.stopAll);

/** Returns a function that starts the same backend, with the same database, each time. */
function createDeployment() {
  const directory = temporaryFolder();
  return (options: SignedBackendOptions) =>
    backends.start({
      ...options,
      apiGate: {
        allow: [{ plugin: 'hello', path: '/by-rule' }],
        ...options.apiGate,
      },
      features: [
        recordingPlugin('hello', {
          policies: [{ path: '/in-code', allow: 'unauthenticated' }],
        }).feature,
      ],
      config: {
        ...options.config,
        backend: {
          ...(options.config?.backend as JsonObject),
          database: { client: 'better-sqlite3', connection: { directory } },
        },
      },
    });
}

describe('docs/switch-off.md', () => {
  it('says what is open in report-only, and after the gate is removed', async () => {
    const start = createDeployment();
    const paths = ['/in-code', '/by-rule', '/other'];
    const statuses = (backend: Awaited<ReturnType<typeof start>>) =>
      Promise.all(paths.map(each => backend.statusOf(`/api/hello${each}`)));

    const gated = await start({});
    expect(await statuses(gated)).toEqual([401, 200, 401]);
    const token = await gated.sign();
    const { iss } = JSON.parse(
      Buffer.from(token.split('.')[1], 'base64url').toString(),
    );
    const port = Number(new URL(iss).port);
    const withToken = (backend: typeof gated) =>
      backend.statusOf('/api/hello/other', bearer(token));
    await gated.request('DELETE', `/api/hello${COOKIE_ENDPOINT}`, [
      bearer(token),
    ]);
    expect(await withToken(gated)).toBe(401);
    await gated.stop();

    const reporting = await start({ port, apiGate: { mode: 'report-only' } });
    expect(await statuses(reporting)).toEqual([200, 401, 401]);
    expect(await withToken(reporting)).toBe(401);
    await reporting.stop();

    // The settings of the gate are there still.
    const removed = await start({ withGate: false, port });
    expect(await statuses(removed)).toEqual([200, 401, 401]);
    expect(await withToken(removed)).toBe(200);
    await removed.stop();

    const open = await start({
      withGate: false,
      config: {
        backend: { auth: { dangerouslyDisableDefaultAuthPolicy: true } },
      },
    });
    expect(await statuses(open)).toEqual([200, 200, 200]);
  });

  it('is right that a setting of another version stops the start', async () => {
    await expect(
      backends.start({ apiGate: { settingOfALaterVersion: true } }),
    ).rejects.toThrow('auth.apiGate.settingOfALaterVersion is not known');
  });

  it('names the cookie that the gate has by default', async () => {
    const hello = recordingPlugin('hello');
    const { get, sign } = await backends.start({ features: [hello.feature] });
    const left = tableRows('docs/switch-off.md', ['What', 'Where']).map(
      ([what]) => codeIn(what),
    );
    const { headers } = await get('/api/hello/x', bearer(await sign()));
    expect(headers['set-cookie']).toMatch(new RegExp(`^${left[1][0]}=`));
  });
});
