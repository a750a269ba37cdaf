import { rawRequest } from '../../__testUtils__/rawRequest';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { recordSpans } from '../../__testUtils__/recordSpans';
import { createSigningKey, SigningKey } from '../../__testUtils__/signingKey';
import { RunningBackend, startBackend } from '../../__testUtils__/startBackend';

jest.setTimeout(60_000);

describe('the span of a request', () => {
  let key: SigningKey;
  let backend: RunningBackend;
  let token: string;
  let spans: ReturnType<typeof recordSpans>;

  const send = (target: string, ...headerLines: string[]) =>
    rawRequest(backend.port, target, { headerLines });

  beforeAll(async () => {
    spans = recordSpans();
    key = await createSigningKey();
    backend = await startBackend({
      features: [recordingPlugin('hello').feature],
      config: {
        auth: {
          ...(key.config.auth as object),
          apiGate: { allow: [{ plugin: 'hello', path: '/public/**' }] },
        },
      },
    });
    token = await key.sign({ iss: `${backend.url}/api/auth` });
    await send('/api/hello/x', `Authorization: Bearer ${token}`);
  });
  beforeEach(() => spans.take());
  afterAll(async () => {
    spans.stop();
    await backend.stop();
    await key.remove();
  });

  it('has the decision, and neither the token nor the query', async () => {
    const bearer = `Authorization: Bearer ${token}`;
    const refused = await send('/api/hello/x?secret=query', 'Cookie: token=x');
    await send('/api/hello/x?secret=query', bearer);
    await send('/api/hello/public/a?secret=query', bearer);
    // Backstage answers this one in front of the gate.
    await send('/.backstage/health/v1/readiness');
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
    expect((await send('/api/hello/x')).status).toBe(401);
    expect(spans.take()).toEqual([{}]);
  });

  it('is not needed', async () => {
    spans.mode = 'off';
    expect((await send('/api/hello/x')).status).toBe(401);
    expect(spans.take()).toEqual([]);
  });
});
