import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JsonObject } from '@backstage/types';
import { Attributes, createNoopMeter, metrics } from '@opentelemetry/api';
import { attackedSettings } from './attackedSettings';
import { exchangeBytes } from './exchangeBytes';
import { rawRequest, RawResponse } from './rawRequest';
import { denialsIn, recordingAuditor } from './recordingAuditor';
import { express5, recordingPlugin } from './recordingPlugin';
import { createSigningKey, SigningKey, UserTokenClaims } from './signingKey';
import { freePort } from './freePort';
import { RunningBackend, startBackend } from './startBackend';
import { startTwin } from './startTwin';

/** The bytes of one request. */
export interface Attempt {
  /** Default `GET`. */
  method?: string;
  target: string;
  headerLines?: string[];
  body?: string;
}

/** All traces that a request left: its answer, handlers, counters, audit and fetches. Each entry is a line of words. */
export interface Trace {
  response: RawResponse;
  /** Handlers that ran: plugin, method and path. */
  handled: string[];
  /** Decisions that the counter has: plugin, outcome, reason and credential, without the backend's own fetches of keys. */
  counted: string[];
  /** Denials that the audit has: plugin, reason and method. */
  audited: string[];
  /** Fetches of the backend, without the keys of its own plugins, and all requests that arrived at the attacker's server. */
  fetched: string[];
}

/**
 * A backend whose plugins have opened themselves, so that only the gate stands between a request and its handler. For `hello`,
 * rules open `/health`, `/logo.svg`, `/public/**`, `POST /hook` and, with `*` for two segments, badges of entities; the rule for
 * `/demo/**` has ended. A public handler of `forwarding` dispatches the request again, to the target in `?to=`. The plugins of the
 * twin are the same with routers of Express 5.
 */
export interface AttackedBackend extends RunningBackend {
  key: SigningKey;
  hello: RecordingPlugin;
  docs: RecordingPlugin;
  /** All events of the audit. */
  audit: object[];
  /** The attacker's server for keys. It responds with its `answer`. */
  attacker: { url: string; answer: string };
  sign(claims?: Partial<UserTokenClaims>): Promise<string>;
  /** Sends a request to this backend, and to its twin: the same handlers have to run there, and the answer has to be the same. */
  attempt(attempt: Attempt): Promise<Trace>;
  /**
   * Sends bytes over one connection, for any number of requests, to this backend and to its twin, which has to answer with the same
   * statuses. Returns the status of each answer.
   */
  exchange(bytes: string): Promise<number[]>;
  twin: Awaited<ReturnType<typeof startTwin>> & Plugins;
  /** Collects the same traces as {@link attempt} for a request that `send` sends. */
  trace<T>(
    send: () => Promise<T>,
  ): Promise<Omit<Trace, 'response'> & { response: T }>;
}

const OWN_KEYS =
  /^\/api\/(auth|hello|docs)\/\.(well-known|backstage\/auth\/v1)\/jwks\.json$/;

let used: (() => AttackedBackend) | undefined;

/** Starts one such backend for all tests of a file. Each request is sent when the previous one has been answered. */
export function useAttackedBackend(): () => AttackedBackend {
  if (!used) {
    let backend: AttackedBackend;
    beforeAll(async () => {
      backend = await startAttackedBackend();
    }, 60_000);
    afterAll(() => backend.stop());
    used = () => backend;
  }
  return used;
}

async function startAttackedBackend(): Promise<AttackedBackend> {
  const key = await createSigningKey();
  const config = configWith(key);
  const port = await freePort();
  const ofTwin = createPlugins(express5);
  const twin = await startTwin({
    url: `http://localhost:${port}`,
    features: Object.values(ofTwin).map(({ feature }) => feature),
    config,
  });
  const fetched: string[] = [];
  const attacker = { url: '', answer: '{"keys":[]}' };
  const attackersServer = createServer((req, res) => {
    fetched.push(`arrived: ${req.url}`);
    res.end(attacker.answer);
  });
  await new Promise<void>(resolve => {
    attackersServer.listen(0, '127.0.0.1', resolve);
  });
  const { port: attackersPort } = attackersServer.address() as AddressInfo;
  attacker.url = `http://127.0.0.1:${attackersPort}`;

  const counted = countDecisions();
  const audit: any[] = [];
  const { hello, docs, forwarding } = createPlugins();
  const backend = await startBackend({
    port,
    features: [
      hello.feature,
      docs.feature,
      forwarding.feature,
      recordingAuditor(audit),
    ],
    config,
  });

  const onFetch = (message: unknown) => {
    const { request } = message as {
      request: { origin: string; path: string };
    };
    if (request.origin !== backend.url || !OWN_KEYS.test(request.path)) {
      fetched.push(`${request.origin}${request.path}`);
    }
  };
  subscribe('undici:request:create', onFetch);

  // The audit has at most one denial a second of each kind, so the clock jumps between requests.
  const realNow = Date.now;
  let skew = 0;
  Date.now = () => realNow() + skew;

  async function trace<T>(send: () => Promise<T>) {
    skew += 1_100;
    counted.length = 0;
    const handledSince = watchHandlers({ hello, docs });
    const audited = audit.length;
    fetched.length = 0;
    const response = await send();
    return {
      response,
      handled: handledSince(),
      counted: counted.filter(
        line => !/^\S+ passed built-in-public/.test(line),
      ),
      audited: denialsIn(audit.slice(audited)).map(
        ({ plugin, reason, method }) => `${plugin} ${reason} ${method}`,
      ),
      fetched: [...fetched],
    };
  }

  return {
    ...backend,
    key,
    hello,
    docs,
    audit,
    attacker,
    sign: claims => key.sign({ iss: `${backend.url}/api/auth`, ...claims }),
    trace,
    twin: Object.assign(twin, ofTwin),
    async attempt({ target, ...options }) {
      const traced = await trace(() => rawRequest(port, target, options));
      const handledByTwin = watchHandlers(ofTwin);
      await twin.expectSame(traced.response, port, target, options);
      expect(handledByTwin()).toEqual(traced.handled);
      return traced;
    },
    async exchange(bytes) {
      const sent = Buffer.from(bytes, 'latin1');
      const [statuses, twins] = await Promise.all(
        [port, twin.port].map(async each =>
          (await exchangeBytes(each, sent, 20_000, 100)).map(
            ({ status }) => status,
          ),
        ),
      );
      expect(twins).toEqual(statuses);
      return statuses;
    },
    async stop() {
      Date.now = realNow;
      unsubscribe('undici:request:create', onFetch);
      metrics.disable();
      await backend.stop();
      await twin.stop();
      await new Promise(resolve => attackersServer.close(resolve));
      await key.remove();
    },
  };
}

/**
 * Returns the decisions that the counter has from now on. A reader of OpenTelemetry would ask for each gauge, too, and that of the
 * files reads them each time.
 */
function countDecisions(): string[] {
  const counted: string[] = [];
  const createCounter = (name: string) => ({
    add(_count: number, attributes: Attributes = {}) {
      if (name === 'api_gate.decisions') {
        const { plugin, outcome, reason, credential } = attributes;
        counted.push(`${plugin} ${outcome} ${reason} ${credential}`);
      }
    },
  });
  const meter = Object.assign(Object.create(createNoopMeter()), {
    createCounter,
  });
  metrics.setGlobalMeterProvider({ getMeter: () => meter });
  return counted;
}

function configWith(key: SigningKey): JsonObject {
  const { apiGate, backend } = attackedSettings;
  return {
    backend,
    auth: {
      ...(key.config.auth as JsonObject),
      providers: { 'signs-in': { signIn: {} } },
      apiGate: {
        ...apiGate,
        // It ends with the token, so that answers of two moments are the same.
        cookie: { maxAge: '24h' },
        allow: [
          { plugin: 'hello', path: '/health' },
          { plugin: 'hello', path: '/public/**' },
          { plugin: 'hello', path: '/logo.svg' },
          { plugin: 'hello', path: '/hook', methods: ['POST'] },
          { plugin: 'hello', path: '/entity/*/badge/*' },
          { plugin: 'hello', path: '/demo/**', until: '2020-01-01' },
          { plugin: 'docs', path: '/static/public' },
          { plugin: 'forwarding', path: '/public/**' },
        ],
      },
    },
  };
}

type RecordingPlugin = ReturnType<typeof recordingPlugin>;
type Plugins = ReturnType<typeof createPlugins>;

/** Returns a function that names the handlers of two plugins that have run since. */
function watchHandlers(plugins: Record<'hello' | 'docs', RecordingPlugin>) {
  const ids = ['hello', 'docs'] as const;
  const ran = ids.map(id => plugins[id].handled.length);
  return () =>
    ids.flatMap((id, i) =>
      plugins[id].handled
        .slice(ran[i])
        .map(({ method, path }) => `${id} ${method} ${path}`),
    );
}

function createPlugins(express?: typeof express5) {
  const open = [{ path: '/', allow: 'unauthenticated' as const }];
  const hello = recordingPlugin('hello', { express, policies: open });
  const docs = recordingPlugin('docs', {
    express,
    policies: [...open, { path: '/static', allow: 'user-cookie' }],
  });
  const forwarding = recordingPlugin('forwarding', {
    express,
    policies: open,
    handle: (req, res) => {
      req.url = String(req.query.to);
      req.baseUrl = '';
      req.app(req, res);
    },
  });
  return { hello, docs, forwarding };
}
