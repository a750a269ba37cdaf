import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { recordSpans } from '../__testUtils__/recordSpans';
import { bearer, cookie } from '../__testUtils__/requestParts';
import { SignedBackend, signedBackends } from '../__testUtils__/signedBackends';

const backends = signedBackends();

describe('the span of a request', () => {
  let backend: SignedBackend;
  let token: string;
  let spans: ReturnType<typeof recordSpans>;

  beforeAll(async () => {
    spans = recordSpans();
    backend = await backends.start({
      features: [recordingPlugin('hello').feature],
      apiGate: { allow: [{ plugin: 'hello', path: '/public/**' }] },
    });
    token = await backend.sign();
    await backend.get('/api/hello/x', bearer(token));
  });
  beforeEach(() => spans.take());
  afterAll(() => spans.stop());

  it('has the decision, and neither the token nor the query', async () => {
    const { get } = backend;
    const refused = await get('/api/hello/x?secret=query', cookie('x'));
    await get('/api/hello/x?secret=query', bearer(token));
    await get('/api/hello/public/a?secret=query', bearer(token));
    // Backstage answers this one in front of the gate.
    await get('/.backstage/health/v1/readiness');
    // The backend fetches keys from itself in the background.
    const attributes = spans
      .take()
      .filter(each => each['api_gate.reason'] !== 'built-in-public');
    expect(attributes).toEqual([
      {
        'api_gate.outcome': 'refused',
        'api_gate.reason': 'invalid-token',
        'api_gate.credential': 'cookie',
        'api_gate.decision': refused.headers['api-gate-decision'],
      },
      {
        'api_gate.outcome': 'passed',
        'api_gate.reason': 'bearer',
        'api_gate.credential': 'bearer',
      },
      {
        'api_gate.outcome': 'passed',
        'api_gate.reason': 'allow-rule',
        'api_gate.credential': 'none',
        'api_gate.rule': '/api/hello/public/**',
      },
      {},
    ]);
    expect(JSON.stringify(attributes)).not.toMatch(/eyJ|secret|query/);
  });

  it('has none where the span is not recorded', async () => {
    spans.mode = 'not sampled';
    expect(await backend.statusOf('/api/hello/x')).toBe(401);
    expect(spans.take()).toEqual([{}]);
  });

  it('is not needed', async () => {
    spans.mode = 'off';
    expect(await backend.statusOf('/api/hello/x')).toBe(401);
    expect(spans.take()).toEqual([]);
  });
});
