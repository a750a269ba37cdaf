import { cloneDeep, set } from 'lodash';
import { serve } from '../__tests__/__testUtils__/serve';
import { fetchPolicy } from './fetchPolicy';

const WORKED = {
  ...{ plugin: 'a', method: 'GET', path: '/x', status: 200, requests: 3 },
  ...{ firstSeen: '2026-11-01', lastSeen: '2026-11-24' },
};
const REPORT = {
  closed: [{ plugin: 'badges', paths: ['/entity/*', '/entity/*/**'] }],
  installed: ['badges', 'own'],
  openedInCode: [{ plugin: 'auth', paths: ['/**'] }],
  unknown: ['own'],
  usage: {
    rules: [{ yaml: '- plugin: a' }, {}],
    externalTokens: [{}, { only: '- plugin: b' }],
  },
  reportOnly: {
    ...{ enforce: 'wait', because: 'of these requests' },
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
    ['usage.rules[1]', null],
    ['usage.rules[0].yaml', 7],
    ['usage.externalTokens[1].only', 7],
    ['reportOnly.enforce', 7],
    ['reportOnly.because', 7],
    ['reportOnly.worked[1].plugin', 7],
    ['reportOnly.worked[0].method', 7],
    ['reportOnly.worked[0].path', 7],
    ['reportOnly.worked[0].reason', 7],
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
