import { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import type { JsonObject } from '@backstage/types';
import { rawUpgrade } from '../__testUtils__/rawUpgrade';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { createSigningKey, SigningKey } from '../__testUtils__/signingKey';
import { RunningBackend, startBackend } from '../__testUtils__/startBackend';
import { until } from '../__testUtils__/until';
import { answerUpgrade } from '../../gate/upgrades/dispatchUpgrade';

/** Spellings that some reader of a target resolves to `/api/hello/secret`, or to another plugin than the rule's. */
const TARGETS: [product: string, target: string][] = [
  ['as it is', '/api/hello/secret'],
  ['beside the rule', '/api/hello/public/x'],
  ['readers without case', '/API/HELLO/SECRET'],
  ['a rule without case', '/api/hello/PUBLIC'],
  ['a rule with a slash', '/api/hello/public/'],
  ['signals 0.3.19, which takes every end of its address', '/hello/secret'],
  ['http-proxy-middleware, which takes every path', '/secret'],
  ['http-proxy-middleware, which takes every path', '/'],
  ['RFC 3986, 5.2.4', '/api/hello/public/../secret'],
  ['RFC 3986, 5.2.4', '/api/../api/hello/secret'],
  ['RFC 3986, 5.2.4', '/x/../api/hello/secret'],
  ['RFC 3986, 5.2.4', '/./api/hello/secret'],
  ['decoders', '/%61pi/hello/secret'],
  ['decoders', '/api/hell%6f/secret'],
  ['decoders', '/api%2fhello%2fsecret'],
  ['decoders', '/api/hello/%70ublic'],
  ['decoders that decode twice', '/%2561pi/hello/secret'],
  ['decoders before dots', '/x/%2e%2e/api/hello/secret'],
  ['decoders before dots', '/x/..%2fapi/hello/secret'],
  ['WHATWG URL', '/x\\..\\api\\hello\\secret'],
  ['WHATWG URL', '\\api\\hello\\secret'],
  ['WHATWG URL', '//any/api/hello/secret'],
  ['WHATWG URL', '/\\any/api/hello/secret'],
  ['WHATWG URL', '/%2e/api/hello/secret'],
  ['mergers of slashes', '//api/hello/secret'],
  ['mergers of slashes', '/api//hello//secret'],
  ['Tomcat', '/api;x=y/hello/secret'],
  ['Tomcat', '/x/..;/api/hello/secret'],
  ['Tomcat', '/;/api/hello/secret'],
  ['parseurl', '/api/hello/secret#'],
  ['parseurl', '/api/hello/public#/../secret'],
  ['RFC 9112, 3.2.2', 'http://any/api/hello/secret'],
  ['RFC 9112, 3.2.2', 'http://any/api/hello/public'],
  ['RFC 9112, 3.2.2', 'HTTP://user:x@any/api/hello/secret'],
  ['RFC 9112, 3.2.2', 'ws://any/api/hello/secret'],
  ['RFC 9112, 3.2.4', '*'],
];

/** Requests for another upgrade than a WebSocket, which a listener may ignore. */
const UPGRADES: [name: string, headerLines: string[]][] = [
  ['HTTP/2', ['Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__']],
  ['several', ['Upgrade: h2c, websocket']],
  ['two headers', ['Upgrade: websocket', 'Upgrade: h2c']],
  ['another letter case', ['Upgrade: WebSocket']],
  ['Kubernetes', ['Upgrade: SPDY/3.1']],
  ['Docker', ['Upgrade: tcp']],
];

describe('[P11] upgrades', () => {
  let backend: RunningBackend;
  let key: SigningKey;
  let heard: string[];

  const answerAll = (who: string) => (req: IncomingMessage, socket: Duplex) => {
    heard.push(`${who} ${req.url}`);
    answerUpgrade(socket, 418);
  };

  beforeAll(async () => {
    key = await createSigningKey();
    heard = [];
    let server: Server;
    const hello = recordingPlugin('hello', {
      // The plugin adds its listener with its first request, and listens to every upgrade.
      handle: (_req, res) => {
        if (server.listenerCount('upgrade') === 0) {
          server.on('upgrade', answerAll('plugin'));
        }
        res.json({});
      },
    });
    backend = await startBackend({
      features: [
        hello.feature,
        rootHttpRouterServiceFactory({
          configure({ applyDefaults, server: own }) {
            server = own as unknown as Server;
            applyDefaults();
          },
        }),
      ],
      config: {
        auth: {
          ...(key.config.auth as JsonObject),
          apiGate: {
            allow: [
              { plugin: 'hello', path: '/public', methods: ['WEBSOCKET'] },
            ],
          },
        },
      },
    });
    const token = await key.sign({ iss: `${backend.url}/api/auth` });
    await until(async () => {
      const { status } = await fetch(`${backend.url}/api/hello/x`, {
        headers: { authorization: `Bearer ${token}` },
      });
      return status === 200;
    });
  }, 60_000);
  afterAll(async () => {
    await backend.stop();
    await key.remove();
  });
  beforeEach(() => {
    heard.length = 0;
  });

  it('reach the listener by a rule, and with a token (V3, V4)', async () => {
    const token = await key.sign({ iss: `${backend.url}/api/auth` });
    const statuses = [
      await rawUpgrade(backend.port, '/api/hello/public'),
      await rawUpgrade(backend.port, '/api/hello/secret', [
        `Authorization: Bearer ${token}`,
      ]),
    ].map(({ status }) => status);
    expect(statuses).toEqual([418, 418]);
    expect(heard).toHaveLength(2);
  });

  it.each(TARGETS)(
    '%s: %s is refused, and reaches no listener (V1, V4)',
    async (_, target) => {
      const { closed, status } = await rawUpgrade(backend.port, target);
      await closed;
      expect([400, 401, 404]).toContain(status);
      expect(heard).toEqual([]);
    },
  );

  it.each(UPGRADES)(
    'to %s are refused, and reach no listener (V2, V4)',
    async (name, headerLines) => {
      const target =
        name === 'another letter case' ? '/api/hello/x' : '/api/hello/public';
      const { closed, status } = await rawUpgrade(
        backend.port,
        target,
        [],
        ['Connection: Upgrade', ...headerLines],
      );
      await closed;
      expect([status, heard]).toEqual([401, []]);
    },
  );
});
