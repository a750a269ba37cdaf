import type { JsonObject } from '@backstage/types';
import { merge } from 'lodash';
import { RawResponse, rawRequest } from './rawRequest';
import { recordingAuditor } from './recordingAuditor';
import { recordSpans } from './recordSpans';
import { RunningBackend, startBackend } from './startBackend';

/**
 * Starts a second backend with the same settings, with `foreignAuthorization` for paths that nobody requests,
 * and with all reports of the gate switched on: the audit with the client's address, and the spans of requests. It accepts the tokens
 * of the first one.
 *
 * Start it before the first backend and before the provider of metrics, so that those do not see its requests.
 */
export async function startTwin(options: {
  /** The URL of the first backend. */
  url: string;
  features: Parameters<typeof startBackend>[0]['features'];
  config: JsonObject;
}) {
  const { url, features = [], config } = options;
  const spans = recordSpans();
  spans.mode = 'off';
  const audit: object[] = [];
  const twin: RunningBackend = await startBackend({
    features: [...features, recordingAuditor(audit)],
    config: merge({}, config, {
      auth: {
        apiGate: {
          audit: { clientAddress: true },
          foreignAuthorization: [
            { plugin: 'hello', path: '/foreign/**' },
            { plugin: 'docs', path: '/foreign' },
          ],
        },
      },
      discovery: {
        endpoints: [
          {
            target: `${url}/api/{{pluginId}}`,
            plugins: ['auth', 'hello', 'docs', 'forwarding'],
          },
        ],
      },
    }),
  });
  return {
    /** Whether the reports are really switched on: the attributes of spans, and events with the client's address. */
    reported: { spans: 0, audit },
    port: twin.port,
    /**
     * Sends the bytes of a request of the first backend.
     *
     * @throws Error unless the bytes of the answers differ in the id of the refusal and in the date only
     */
    async expectSame(
      answer: RawResponse,
      ...[, target, request]: Parameters<typeof rawRequest>
    ): Promise<void> {
      spans.mode = 'sampled';
      const twins = await rawRequest(twin.port, target, request);
      spans.mode = 'off';
      const attributes = spans.take().filter(each => Object.keys(each).length);
      this.reported.spans += attributes.length;
      const [expected, received] = [
        comparable(answer, new URL(url).port),
        comparable(twins, String(twin.port)),
      ];
      if (expected !== received) {
        throw new Error(
          `The answers to ${target} differ:\n${expected}\n---\n${received}`,
        );
      }
    },
    async stop() {
      spans.stop();
      await twin.stop();
    },
  };
}

/** Returns the bytes of an answer without what differs between two backends and two moments. */
function comparable({ bytes }: RawResponse, port: string): string {
  return (
    bytes
      .replace(/^Api-Gate-Decision: [0-9a-f]{16}\r\n/m, '')
      .replace(/^Date: .*\r\n/m, '')
      // A cookie ends a while after the answer.
      .replace(/(^Set-Cookie: .*; Max-Age=\d+; .*Expires=)[^;]+/m, '$1…')
      .replaceAll(`localhost:${port}`, 'localhost')
  );
}
