import type { IncomingMessage, ServerResponse } from 'node:http';
import timers from 'node:timers/promises';
import catalogPlugin from '@backstage/plugin-catalog-backend';
import eventsPlugin from '@backstage/plugin-events-backend';
import permissionPlugin from '@backstage/plugin-permission-backend';
import allowAllPolicy from '@backstage/plugin-permission-backend-module-allow-all-policy';
import signalsPlugin from '@backstage/plugin-signals-backend';
import { recordingPlugin } from '../__tests__/__testUtils__/recordingPlugin';
import {
  folderWith,
  runCliHere,
  runCliIn,
} from '../__tests__/__testUtils__/runCli';
import { serve } from '../__tests__/__testUtils__/serve';
import { startBackend } from '../__tests__/__testUtils__/startBackend';
import { readAllowRules } from '../settings/read/readAllowRules';
import { AllowList } from '../gate/rules/AllowList';
import { parse } from 'yaml';
import { ConfigReader } from '@backstage/config';
import { ConfiguredPolicy } from '../settings/ConfiguredPolicy';
import { readApiGateConfig } from '../settings/read/readApiGateConfig';
import {
  AUDITED_PATHS,
  AuditedPath,
  auditPaths,
  findVerdict,
  pathsOf,
} from './audit';

jest.setTimeout(60_000);

const SOME = AUDITED_PATHS.filter(({ plugin }) =>
  ['events', 'permission', 'badges', 'pagerduty', 'auth'].includes(plugin),
);

async function auditOf(address: string, paths: readonly AuditedPath[] = SOME) {
  const lines: string[] = [];
  const print = (...printed: unknown[]) => lines.push(...printed.map(String));
  const code = await auditPaths(address, print, paths);
  return { code, lines };
}

// Only one test measures the pauses between requests.
const { setTimeout: sleep } = timers;
beforeEach(() => {
  // A backend that starts waits for less.
  jest
    .spyOn(timers, 'setTimeout')
    .mockImplementation(((ms: number) =>
      ms < 50 ? sleep(ms) : Promise.resolve()) as typeof sleep);
});
afterEach(() => jest.restoreAllMocks());

const openIn = (lines: string[]) =>
  lines.flatMap(line => line.match(/^open +(GET \S+)/)?.[1] ?? []);

// No plugin subscribes to events: a subscriber's open poll would delay the stop of the backend.
const startStock = (withGate: boolean) =>
  startBackend({
    withGate,
    features: [
      eventsPlugin,
      permissionPlugin,
      allowAllPolicy,
      // The plugin's handler has no route at the path that the audit requests.
      recordingPlugin('badges', {
        policies: [
          {
            path: '/entity/:namespace/:kind/:name/badge/:badgeId',
            allow: 'unauthenticated',
          },
        ],
        handle: (_req, res) => res.status(404).json({}),
      }).feature,
      // pagerDuty.enableUnauthenticatedAccess opens the whole plugin in this way.
      recordingPlugin('pagerduty', {
        policies: [{ path: '/', allow: 'unauthenticated' }],
        handle: (req, res) =>
          res.status(req.path === '/health' ? 200 : 404).json({}),
      }).feature,
    ],
  });

describe('api-gate audit', () => {
  it('finds the paths that a stock backend leaves open, and none of them behind the gate', async () => {
    const stock = await startStock(false);
    const { code, lines } = await auditOf(stock.url);
    await stock.stop();
    expect(openIn(lines)).toEqual([
      'GET /api/badges/entity/api-gate-audit/api-gate-audit/api-gate-audit/badge/api-gate-audit',
      'GET /api/events/http/github',
      'GET /api/permission/health',
      'GET /api/pagerduty/health',
      'GET /api/auth/guest/refresh',
    ]);
    expect(lines).toContain(
      "           - { plugin: events, path: '/http/github', methods: [POST] }  # set the webhook secret of the events module first",
    );
    expect(lines).toContain(
      '5 open, 1 closed, 0 of plugins that are not installed, 0 unclear',
    );
    expect(code).toBe(1);

    const gated = await startStock(true);
    const behind = await auditOf(gated.url);
    await gated.stop();
    expect(openIn(behind.lines)).toEqual(['GET /api/auth/guest/refresh']);
    expect(behind.lines).toContain(
      'The API gate is in front of this Backstage',
    );
    expect(behind.lines).toContain(
      '         remove auth.providers.guest: the gate does not close it',
    );
    expect(behind.lines.join('\n')).not.toMatch(/eyJ/);
  });

  it('finds the data of a backend without its default auth policy', async () => {
    const config = {
      backend: { auth: { dangerouslyDisableDefaultAuthPolicy: true } },
    };
    const backend = await startBackend({
      config,
      withGate: false,
      features: [catalogPlugin, signalsPlugin],
    });
    const { code, lines } = await auditOf(
      backend.url,
      AUDITED_PATHS.filter(({ plugin }) =>
        ['catalog', 'signals'].includes(plugin),
      ),
    );
    await backend.stop();
    expect(openIn(lines)).toEqual([
      'GET /api/catalog/entity-facets',
      'GET /api/signals/health',
    ]);
    expect(code).toBe(1);
  });
});

describe('[P72] the requests of api-gate audit', () => {
  const seen: IncomingMessage[] = [];
  let answer: (req: IncomingMessage, res: ServerResponse) => void;
  let url: string;

  beforeAll(async () => {
    ({ url } = await serve((req, res) => {
      seen.push(req);
      answer(req, res);
    }));
  });
  beforeEach(() => {
    seen.length = 0;
  });

  const one = AUDITED_PATHS.filter(({ plugin }) => plugin === 'catalog');

  it('are GETs without a credential and a body, at most two a second, below the path of the address', async () => {
    jest.restoreAllMocks();
    const sentAt: number[] = [];
    const { fetch: send } = globalThis;
    jest.spyOn(globalThis, 'fetch').mockImplementation((...args) => {
      sentAt.push(Date.now());
      return send(...args);
    });
    answer = (_req, res) => res.writeHead(401).end();
    const { code, lines } = await auditOf(`${url}/portal/`, one);
    expect(lines[0]).toBe(
      `Sends 3 requests without a credential to ${url}/portal, two a second, for about 2 seconds. Only ask a Backstage that you run`,
    );
    expect(seen.map(({ method, url: at }) => `${method} ${at}`)).toEqual([
      'GET /portal/api/api-gate-audit/api-gate-audit',
      'GET /portal/api/catalog/api-gate-audit',
      'GET /portal/api/catalog/entity-facets',
    ]);
    for (const { headers } of seen) {
      expect(headers).not.toHaveProperty('authorization');
      expect(headers).not.toHaveProperty('cookie');
      expect(headers).not.toHaveProperty('content-length');
      expect(headers['user-agent']).toBe('api-gate');
      expect(headers.connection).toBe('close');
    }
    // A timer may fire a millisecond early.
    expect(sentAt[1] - sentAt[0]).toBeGreaterThanOrEqual(490);
    expect(sentAt[2] - sentAt[1]).toBeGreaterThanOrEqual(490);
    expect(code).toBe(0);
  });

  it('are listed all, with the path of the address, and are open under that path', async () => {
    answer = (_req, res) =>
      res.writeHead(200, { 'Content-Type': 'application/json' }).end('{}');
    const { lines } = await auditOf(`${url}/portal`, AUDITED_PATHS);
    expect(openIn(lines)).toContain('GET /portal/api/signals/health');
    const listed = await runCliHere(['audit', '--list', `${url}/portal/`]);
    expect(listed.stdout.trimEnd().split('\n')).toEqual(
      seen.map(({ method, url: at }) => `${method} ${at}`),
    );
    expect(lines[0]).toMatch(`Sends ${seen.length} requests`);
    expect(new Set(listed.stdout.trimEnd().split('\n')).size).toBe(seen.length);
    const { stdout } = await runCliHere(['audit', '--list']);
    expect(stdout).toBe(listed.stdout.replaceAll('/portal/', '/'));
  });

  it.each([true, false])(
    'are counted down on a terminal, and nowhere else: %s',
    async isTTY => {
      const written: string[] = [];
      const { stderr } = process;
      const before = Object.getOwnPropertyDescriptor(stderr, 'isTTY');
      Object.defineProperty(stderr, 'isTTY', {
        value: isTTY,
        configurable: true,
      });
      jest.spyOn(stderr, 'write').mockImplementation(text => {
        written.push(String(text));
        return true;
      });
      answer = (_req, res) => res.writeHead(401).end();
      await auditOf(url, one);
      Object.defineProperty(stderr, 'isTTY', before ?? { value: undefined });
      const erased = '\r\x1b[K';
      expect(written).toEqual(
        isTTY
          ? [3, 2, 1].flatMap(left => [
              `${erased}${left} requests left`,
              erased,
            ])
          : [],
      );
    },
  );

  it('follow no redirect', async () => {
    const elsewhere: string[] = [];
    const other = await serve((req, res) => {
      elsewhere.push(req.url!);
      res.end();
    });
    answer = (_req, res) =>
      res.writeHead(302, { Location: `${other.url}/login` }).end();
    const { code, lines } = await auditOf(url, one);
    expect(openIn(lines)).toEqual([]);
    expect([code, elsewhere, seen.length]).toEqual([0, [], 3]);
  });

  it('read the beginning of a body only, and print none of it', async () => {
    answer = (_req, res) => {
      res.writeHead(200, { 'Content-Type': 'application/json' });
      const fill = () => {
        while (!res.destroyed && res.write('secret-value'.repeat(5000))) {
          // Write until the buffer is full or the client has closed the connection.
        }
      };
      res.on('drain', fill);
      fill();
    };
    const { lines } = await auditOf(url, one);
    expect(openIn(lines)).toEqual(['GET /api/catalog/entity-facets']);
    expect(lines.join('\n')).not.toContain('secret-value');
  });

  it.each([
    ['a page for everything', 200, 'text/html'],
    ['nothing', 404, 'application/json'],
    ['errors', 502, 'text/html'],
  ])('stop at a server that has %s', async (_, status, type) => {
    answer = (_req, res) =>
      res.writeHead(status, { 'Content-Type': type }).end();
    await expect(auditOf(url, one)).rejects.toThrow(
      'does not answer as a Backstage backend: give the value of backend.baseUrl',
    );
  });
});

describe('an answer', () => {
  const JSON_TYPE = 'application/json';
  it.each([
    [401, JSON_TYPE, true, 'closed'],
    [403, JSON_TYPE, false, 'closed'],
    [302, JSON_TYPE, false, 'closed'],
    [200, JSON_TYPE, true, 'open'],
    [404, JSON_TYPE, true, 'open'],
    [404, 'text/html', true, 'open'],
    [200, 'image/svg+xml', false, 'open'],
    [404, JSON_TYPE, false, 'not-installed'],
    [200, 'text/html', false, 'unclear'],
    [200, 'text/html', true, 'unclear'],
    [400, JSON_TYPE, false, 'unclear'],
    [429, JSON_TYPE, true, 'unclear'],
    [503, JSON_TYPE, true, 'unclear'],
  ])(
    '%i of %s from behind a barrier (%s) is %s',
    (status, type, isGuarded, verdict) => {
      const headers = new Headers({ 'content-type': type });
      expect(findVerdict({ status, headers, body: '' }, isGuarded)).toBe(
        verdict,
      );
    },
  );

  it('that rejects the input came from a handler', () => {
    const body = '{"error":{"name":"InputError"}}';
    const headers = new Headers();
    expect(findVerdict({ status: 400, headers, body }, false)).toBe('open');
  });
});

describe('the paths that are asked for', () => {
  it.each(['notifications', 'jira-dashboard'])(
    'have what %s opens to everybody',
    plugin =>
      expect(AUDITED_PATHS).toContainEqual(
        expect.objectContaining({ plugin, path: '/health' }),
      ),
  );

  const config = new ConfigReader({
    events: { modules: { github: { webhookSecret: 'a secret' } } },
  });

  it.each(AUDITED_PATHS.filter(({ rule }) => rule))(
    'have a rule that is valid and names $plugin $path',
    ({ plugin, path, rule }) => {
      const rules = readAllowRules(parse(rule!), 'allow', config);
      const method = rules[0].methods[0];
      expect(new AllowList(rules).match(plugin, method, path, 0)).toBeDefined();
    },
  );
});

describe('[P72] api-gate audit with the configuration', () => {
  const RULES = `
    - { plugin: permission, path: /health }
    - { plugin: badges, path: '/entity/*/*/*/badge/*' }
    - { plugin: hello, path: '/public/**' }
    - { plugin: old, path: /x, until: '2020-01-01' }
    - { plugin: hook, path: /x, methods: [POST] }`;
  const policyOf = (rules: string) =>
    new ConfiguredPolicy(
      readApiGateConfig(
        new ConfigReader({
          backend: { baseUrl: 'http://localhost' },
          auth: { apiGate: { allow: parse(rules) } },
        }),
      ),
    );
  const paths = SOME.filter(({ plugin }) => plugin !== 'auth');
  const auditWith = async (url: string, rules: string) => {
    const lines: string[] = [];
    const policy = policyOf(rules);
    const print = (...printed: unknown[]) => lines.push(...printed.map(String));
    const all = [...paths, ...pathsOf(policy)];
    const code = await auditPaths(url, print, all, policy);
    return {
      code,
      lines: lines.flatMap(
        line => line.match(/^(?:open|closed) +\S+ \S+/) ?? [],
      ),
    };
  };
  const startWith = (allow: string, withGate = true) =>
    startBackend({
      withGate,
      config: { auth: { apiGate: { allow: parse(allow) } } },
      features: [
        permissionPlugin,
        allowAllPolicy,
        recordingPlugin('badges').feature,
        recordingPlugin('hello').feature,
      ],
    });

  it('finds nothing where the running backend has the same rules', async () => {
    const backend = await startWith(RULES);
    expect(await auditWith(backend.url, RULES)).toEqual({ code: 0, lines: [] });
    await backend.stop();
  });

  it('finds what is open and should not be, and what is closed and should be open', async () => {
    const backend = await startWith(RULES);
    const other = RULES.replace('permission, path: /health', 'hello, path: /a');
    const { code, lines } = await auditWith(backend.url, other);
    await backend.stop();
    expect(lines).toEqual([
      'open     GET /api/permission/health',
      'closed   GET /api/hello/a',
    ]);
    expect(code).toBe(1);
  });

  it('fails for a backend without the gate, if the configuration enforces', async () => {
    const backend = await startWith('[]', false);
    const { code, lines } = await auditWith(backend.url, RULES);
    await backend.stop();
    expect(lines).toEqual([]);
    expect(code).toBe(1);
  });

  it('asks each address that is given', async () => {
    const stock = await startWith('[]', false);
    const gated = await startWith('[]');
    const cwd = folderWith({
      'a.yaml':
        'backend: { baseUrl: http://localhost }\nauth: { apiGate: {} }\n',
    });
    const args = ['audit', stock.url, gated.url, '--config', 'a.yaml'];
    const { code, stdout } = await runCliIn(args, { cwd });
    await stock.stop();
    await gated.stop();
    expect(stdout.match(/^The API gate .*$/gm)).toEqual([
      'The API gate is not in front of this Backstage, or in report-only',
      'The API gate is in front of this Backstage',
    ]);
    expect(stdout.match(/^open +.*$/gm)).toEqual([
      'open     GET /api/permission/health  answers 200',
    ]);
    expect(code).toBe(1);
  });
});
