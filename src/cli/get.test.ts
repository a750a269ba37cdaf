import { serve } from '../__tests__/__testUtils__/serve';
import { CliError } from './Command';
import { explainFailure, get, readUrl } from './get';

/** Returns the address of a server that has stopped. */
async function unusedAddress(): Promise<string> {
  const { url, stop } = await serve(() => {});
  stop();
  return url;
}

describe('get', () => {
  it('returns the beginning of an answer, and follows no redirect', async () => {
    const seen: string[] = [];
    const { url } = await serve((req, res) => {
      seen.push(`${req.method} ${req.url} ${req.headers['user-agent']}`);
      res.writeHead(302, { Location: '/elsewhere' });
      res.end('0123456789'.repeat(1_000));
    });
    const { status, headers, body } = await get(readUrl(`${url}/x`), 12);
    expect([status, headers.get('location')]).toEqual([302, '/elsewhere']);
    expect(body).toBe('012345678901');
    expect((await get(readUrl(url), 1_000_000)).body).toHaveLength(10_000);
    expect(seen).toEqual(['GET /x api-gate', 'GET / api-gate']);
  });

  it('reads all parts of a body up to the limit, and waits for no more', async () => {
    const { url } = await serve((_req, res) => {
      res.write('01234567');
      setTimeout(() => res.write('8901'), 50);
    });
    const { body } = await get(readUrl(url), 12);
    expect(body).toBe('012345678901');
  });

  it('returns an answer without a body', async () => {
    const { url } = await serve((_req, res) => res.writeHead(204).end());
    expect(await get(readUrl(url), 12)).toMatchObject({
      status: 204,
      body: '',
    });
  });

  it.each([
    [unusedAddress, 'nothing listens there: check the address and the port'],
    [
      async () => (await serve(() => {})).url.replace('http:', 'https:'),
      'it does not speak TLS there: write http:// instead of https://',
    ],
    [
      async () => 'ftp://localhost',
      'must begin with https:// or http://, such as https://backstage.example.com',
    ],
    [async () => 'xhttps://localhost', 'must begin with https:// or http://'],
    [async () => 'backstage', 'must begin with https:// or http://'],
    [async () => 'http://a@localhost', 'must not hold a user or a password'],
    [async () => 'http://:b@localhost', 'must not hold a user or a password'],
  ])('fails with an explanation (%#)', async (addressOf, message) => {
    const address = await addressOf();
    const asked = async () => get(readUrl(address), 12);
    await expect(asked()).rejects.toThrow(CliError);
    await expect(asked()).rejects.toThrow(message);
  });

  it.each([
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'set NODE_EXTRA_CA_CERTS to the file'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'is not trusted here'],
    ['UNABLE_TO_GET_ISSUER_CERT', 'is not trusted here'],
    ['CERT_HAS_EXPIRED', 'has expired: renew it'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'is for another name'],
    ['ENOTFOUND', 'its name does not resolve'],
    ['UND_ERR_SOCKET', 'does not answer in HTTP'],
    ['EOTHER', 'the request failed (EOTHER)'],
    [undefined, 'it gave no answer within 10 seconds'],
  ])('explains %s', (code, text) => {
    const error = { name: 'TimeoutError', cause: code && { code } };
    const explained = explainFailure(error, new URL('https://a.example.com/x'));
    expect(explained).toMatch('https://a.example.com can not be asked: ');
    expect(explained).toContain(text);
  });
});
