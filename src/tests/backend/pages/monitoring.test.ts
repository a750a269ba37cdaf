import { parse } from 'yaml';
import { blocksAfter, readDocument } from '../../../__testUtils__/documents';
import { recordingPlugin } from '../../../__testUtils__/recordingPlugin';
import {
  SignedBackend,
  signedBackends,
} from '../../../__testUtils__/signedBackends';

interface Probe {
  httpGet: { port: number; path: string };
}

const [block] = blocksAfter('docs/recipes/monitoring.md', 'Probes');
const probes: [string, Probe][] = Object.entries(parse(block));

const backends = signedBackends();
const asKubelet = ['User-Agent: kube-probe/1.33', 'Accept: */*'];

describe('the probes of docs/recipes/monitoring.md', () => {
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
    const app = readDocument('src/__testUtils__/createApp/app-config.yaml');
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
