import { parse } from 'yaml';
import { blocksAfter, readDocument } from '../../__testUtils__/documents';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { describeWithCurl, runShell } from '../../__testUtils__/runShell';
import { serve } from '../../__testUtils__/serve';
import {
  SignedBackend,
  signedBackends,
} from '../../__testUtils__/signedBackends';
import { startBackend } from '../../__testUtils__/startBackend';

interface Probe {
  httpGet: { port: number; path: string };
}

const [block] = blocksAfter('docs/observability.md', 'Probes');
const probes: [string, Probe][] = Object.entries(parse(block));

const [uptimeCheck] = blocksAfter(
  'docs/observability.md',
  'Uptime checks from outside',
  'sh',
);

const backends = signedBackends();
const asKubelet = ['User-Agent: kube-probe/1.33', 'Accept: */*'];

describe('the probes of docs/observability.md', () => {
  let backend: SignedBackend;
  beforeAll(async () => {
    backend = await backends.start({
      features: [recordingPlugin('catalog').feature],
    });
  });

  it.each(probes)('%s is answered with 200', async (_, { httpGet }) => {
    const { status, body } = await backend.get(httpGet.path, ...asKubelet);
    expect([status, JSON.parse(body)]).toEqual([200, { status: 'ok' }]);
  });

  it.each(probes)('%s asks at the port of a new app', (_, { httpGet }) => {
    const app = readDocument(
      'src/__tests__/__testUtils__/createApp/app-config.yaml',
    );
    const { backend: generated } = parse(app.text);
    expect(generated.listen.port).toBe(httpGet.port);
  });

  it('need no rule, unlike a health route of a plugin', async () => {
    const target = '/api/catalog/health';
    expect(await backend.statusOf(target, ...asKubelet)).toBe(401);
    const bearer = `Authorization: Bearer ${await backend.guest()}`;
    expect(await backend.statusOf(target, bearer)).toBe(200);
    backend.change({
      apiGate: { allow: [{ plugin: 'catalog', path: '/health' }] },
    });
    expect(await backend.statusOf(target, ...asKubelet)).toBe(200);
  });
});

describeWithCurl('the uptime check of docs/observability.md', () => {
  const check = (url: string) => runShell(uptimeCheck, { url, env: {} });

  it('succeeds where the gate refuses', async () => {
    const { url } = await backends.start({});
    expect(await check(url)).toMatch(/^401 [0-9a-f]{16}\n$/);
  });

  it('fails in report-only', async () => {
    const { url } = await backends.start({ apiGate: { mode: 'report-only' } });
    await expect(check(url)).rejects.toMatchObject({ code: 1 });
  });

  it('fails without the gate, where Backstage answers 401 for the catalog too', async () => {
    const backend = await startBackend({
      withGate: false,
      features: [recordingPlugin('catalog').feature],
    });
    const checked = await check(backend.url).catch(({ code }) => code);
    const { status } = await fetch(`${backend.url}/api/catalog/entities`);
    await backend.stop();
    expect([checked, status]).toEqual([1, 401]);
  });

  it('fails where an ingress answers 401', async () => {
    const { url } = await serve((_req, res) => res.writeHead(401).end());
    await expect(check(url)).rejects.toMatchObject({ code: 1 });
  });
});
