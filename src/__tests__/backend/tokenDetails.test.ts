import { attackersKey, createForge, ecdsa } from '../__testUtils__/forge';
import type { RawResponse } from '../__testUtils__/rawRequest';
import { denialsIn, recordingAuditor } from '../__testUtils__/recordingAuditor';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { bearer, cookie } from '../__testUtils__/requestParts';
import { signedBackends } from '../__testUtils__/signedBackends';
import { until } from '../__testUtils__/until';

const backends = signedBackends();
afterEach(() => backends.stopAll());

/** Starts a backend, and makes a token for each detail. */
async function start(mode: 'enforce' | 'report-only' = 'enforce') {
  const audit: object[] = [];
  const hello = recordingPlugin('hello');
  const other = recordingPlugin('other');
  const backend = await backends.start({
    features: [hello.feature, other.feature, recordingAuditor(audit)],
    apiGate: { mode },
  });
  const forge = createForge(backends.key, `${backend.url}/api/auth`);
  const signer = ecdsa(attackersKey().privateKey);
  const tokens = {
    expired: await backend.sign({ exp: Math.floor(Date.now() / 1000) - 1 }),
    malformed: 'no-token',
    audience: await hello.tokenFor('other'),
    'unknown-key': forge.token({ header: { kid: 'made-up' }, signer }),
    signature: forge.token({ signer }),
  };
  return {
    ...backend,
    handled: hello.handled,
    tokens: Object.entries(tokens),
    denials: () => denialsIn(audit),
    /** Returns the meta of the line with an id. */
    lineOf: (id: string | undefined) =>
      backend.log
        .map(({ meta }) => (meta ?? {}) as Record<string, unknown>)
        .find(({ decision }) => decision !== undefined && decision === id),
  };
}

/** Returns an answer without what differs between two equal ones: its id, and the second in which it was sent. */
const withoutId = (bytes: string) =>
  bytes
    .replace(/^(Api-Gate-Decision): [0-9a-f]{16}\r$/gim, '$1: …')
    .replace(/^(Date): .*$/gim, '$1: …');

const HEADER = 'api-gate-decision';

describe('[P54] the detail of an invalid token', () => {
  it.each([
    ['in Authorization', bearer],
    ['in the cookie', cookie],
  ])(
    'is in the log and in the audit, and in no answer, with the token %s',
    async (_, headerOf) => {
      const { denials, get, handled, lineOf, tokens } = await start();
      const answers = new Map<string, RawResponse>();
      for (const [detail, token] of tokens) {
        answers.set(detail, await get('/api/hello/x', headerOf(token)));
      }
      expect(
        new Set([...answers.values()].map(({ bytes }) => withoutId(bytes))),
      ).toHaveProperty('size', 1);
      for (const [detail, { status, headers, bytes }] of answers) {
        expect(status).toBe(401);
        expect(bytes).not.toContain(detail);
        expect(lineOf(headers[HEADER])).toMatchObject({
          reason: 'invalid-token',
          detail,
        });
      }
      await until(() => denials().length === tokens.length);
      expect(
        denials().map(({ decision, detail }) => [decision, detail]),
      ).toEqual(
        [...answers].map(([detail, { headers }]) => [headers[HEADER], detail]),
      );
      expect(handled).toHaveLength(0);
    },
  );
});
