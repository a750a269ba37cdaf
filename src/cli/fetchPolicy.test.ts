import { cloneDeep, set } from 'lodash';
import { serve } from '../__tests__/__testUtils__/serve';
import { fetchPolicy } from './fetchPolicy';

const WORKED = {
  ...{ plugin: 'a', method: 'GET', path: '/x', status: 200, requests: 3 },
  ...{
    firstSeen: '2026-11-01T08:00:00.000Z',
    lastSeen: '2026-11-24T08:00:00.000Z',
  },
};
const REPORT = {
  closed: [{ plugin: 'badges', paths: ['/entity/*', '/entity/*/**'] }],
  installed: ['badges', 'own'],
  openedInCode: [{ plugin: 'auth', paths: ['/**'] }],
  unknown: ['own'],
  reportOnly: {
    since: '2026-11-01T07:00:00.000Z',
    worked: [WORKED, { ...WORKED, path: undefined, status: undefined }],
  },
};

/** Fetches the policy from a server with this answer. */
async function fetchFrom(body: object, status = 200) {
  const { url } = await serve((_req, res) =>
    res.writeHead(status).end(JSON.stringify(body)),
  );
  return { url, fetched: fetchPolicy({ policy: url }) };
}

describe('fetchPolicy', () => {
  it('returns the parts of a report, without others', async () => {
    const { fetched } = await fetchFrom({ ...REPORT, mode: 'enforce' });
    // JSON has no undefined.
    expect(await fetched).toEqual({ ...REPORT, unscanned: [] });
  });

  it.each([
    ['closed[0].plugin', 7],
    ['closed[0].paths', 7],
    ['closed[0].paths[1]', 7],
    ['installed[1]', 7],
    ['openedInCode[0].paths[0]', 7],
    ['unknown[0]', 7],
    ['installed', undefined],
    ['reportOnly.since', 7],
    ['reportOnly.worked', undefined],
    ['reportOnly.worked[1].plugin', 7],
    ['reportOnly.worked[0].method', 7],
    ['reportOnly.worked[0].path', 7],
    ['reportOnly.worked[0].reason', 7],
    ['reportOnly.worked[0].firstSeen', 7],
    ['reportOnly.worked[0].lastSeen', undefined],
  ])('refuses a report whose %s is %j', async (path, value) => {
    const { url, fetched } = await fetchFrom(
      set(cloneDeep(REPORT), path, value),
    );
    await expect(fetched).rejects.toMatchObject({
      name: 'CliError',
      message: `${url} answers 200 and no policy: write the address of GET …/api/auth/api-gate/v1/policy`,
    });
  });

  it.each([
    [403, 'name with --token-env a variable with a token'],
    [404, 'write the address of GET'],
  ])('reads no report of an answer %i', async (status, message) => {
    const { fetched } = await fetchFrom(REPORT, status);
    await expect(fetched).rejects.toThrow(message);
  });
});
