import proxyPlugin from '@backstage/plugin-proxy-backend';
import { merge } from 'lodash';
import { parse } from 'yaml';
import { codeBlocks } from '../__testUtils__/documents';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { bearer, cookie, from } from '../__testUtils__/requestParts';
import { signedBackends } from '../__testUtils__/signedBackends';

const PAGE = 'docs/recipes/foreign-authorization.md';

const [inFrontOf, ofOtherOrigin, ofTarget] = codeBlocks('yaml')
  .filter(({ file }) => file === PAGE)
  .map(({ text }) => text);

// The recipe for an ingress is followed with nginx and Chromium, in integration/browsers/chromium/basicInFront.ts.
describe('docs/recipes/foreign-authorization.md', () => {
  const backends = signedBackends();
  afterEach(() => backends.stopAll());

  it('lets a target get a token of its own, and no other', async () => {
    const arrived: unknown[] = [];
    const port = await backends.serve((req, res) => {
      arrived.push([req.url, req.headers.authorization]);
      res.end();
    });
    const recipe = ofTarget.replace(
      'https://cost.example.com',
      `http://localhost:${port}`,
    );
    const backend = await backends.start({
      features: [proxyPlugin],
      config: parse(recipe),
    });
    const token = await backend.sign();
    const path = '/api/proxy/cost-management/v1/costs';
    const statuses = [
      await backend.statusOf(path, cookie(token), bearer('of-the-target')),
      await backend.statusOf(path, cookie(token)),
      await backend.statusOf(path, bearer('of-the-target')),
      await backend.statusOf(path, bearer(token)),
      await backend.statusOf(path, bearer(token), cookie(token)),
    ];
    expect(statuses).toEqual([200, 200, 401, 401, 401]);
    expect(arrived).toEqual([
      ['/v1/costs', 'Bearer of-the-target'],
      ['/v1/costs', undefined],
    ]);
  });

  it('lets a frontend on another origin send the header', async () => {
    const backend = await backends.start({
      features: [recordingPlugin('hello').feature],
      config: merge(parse(inFrontOf), parse(ofOtherOrigin)),
    });
    const origin = from('https://portal.example.com');
    const preflight = await backend.request('OPTIONS', '/api/hello/x', [
      origin,
      'Access-Control-Request-Method: GET',
      'Access-Control-Request-Headers: x-backstage-token',
    ]);
    expect(preflight.headers).toMatchObject({
      'access-control-allow-origin': 'https://portal.example.com',
      'access-control-allow-headers':
        expect.stringMatching(/x-backstage-token/i),
    });
    const call = await backend.get(
      '/api/hello/x',
      origin,
      `X-Backstage-Token: Bearer ${await backend.sign()}`,
    );
    expect([call.status, call.headers['access-control-allow-origin']]).toEqual([
      200,
      'https://portal.example.com',
    ]);
  });
});
