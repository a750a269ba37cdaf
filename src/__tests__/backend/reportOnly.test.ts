import { connect } from 'node:net';
import * as httpRouter from '@backstage/backend-defaults/httpRouter';
import catalogPlugin from '@backstage/plugin-catalog-backend';
import eventsPlugin from '@backstage/plugin-events-backend';
import proxyPlugin from '@backstage/plugin-proxy-backend';
import type { JsonObject } from '@backstage/types';
import type { Request, Response } from 'express';
import { merge, pick, sumBy } from 'lodash';
import { parse } from 'yaml';
import { codeBlocks } from '../__testUtils__/documents';
import { staticToken } from '../__testUtils__/externalAccess';
import { whatsOf } from '../__testUtils__/factsOf';
import { openPlugin } from '../__testUtils__/recordingPlugin';
import { bearer, cookie } from '../__testUtils__/requestParts';
import { Configuration, signedBackends } from '../__testUtils__/signedBackends';
import { until } from '../__testUtils__/until';
import { webSocketPlugin } from '../__testUtils__/webSocketPlugin';

const backends = signedBackends();
afterEach(() => jest.restoreAllMocks());
afterEach(backends.stopAll);

const SERVICE = 'a-static-token-of-an-operator';
const OPERATOR = { externalAccess: [staticToken(SERVICE, 'ops')] };
const JWT = 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl';
/** The fields by which a line of the log and an entry of the policy are about the same requests. */
const NAMES = ['plugin', 'method', 'path', 'status'];
const ID = '3f2504e0-4f89-11d3-9a0c-0305e82c3301';
const BADGE = '/api/badges/entity/default/component/x/badge/status';

/** Answers as a plugin that has opened all of its routes in code. */
function answerBadges(req: Request, res: Response): unknown {
  switch (req.path) {
    case '/entity/default/component/x/badge/status':
      return req.method === 'POST' ? res.status(405).end() : res.send('<svg/>');
    case `/t/${JWT}`:
    case `/t/${ID}`:
    case '/odd%20path':
      return res.send('ok');
    case '/home':
      return res.redirect('/api/badges/start');
    case '/old':
      return res.status(304).end();
    case '/private':
      return res.redirect('https://idp.example/authorize?client_id=x');
    case '/login-first':
      return res.redirect('/oauth2/sign_in?rd=%2F');
    case '/broken':
      return res.status(500).end();
    case '/hangs':
      return undefined;
    default:
      return res.status(404).end();
  }
}

/** Starts the stock app, where these routes are open without the gate: badges, a webhook, an endpoint of the proxy, a WebSocket. */
async function start(apiGate: JsonObject, config: JsonObject = {}) {
  const port = await backends.serve((req, res) => {
    res.statusCode = req.url!.startsWith('/page') ? 200 : 404;
    res.end();
  });
  const badges = openPlugin('badges', {
    handle: answerBadges,
  });
  const live = webSocketPlugin('live', {
    '/open': 'unauthenticated',
    '/closed': undefined,
  });
  const settings = merge({}, config, {
    backend: { auth: OPERATOR },
    events: { http: { topics: ['github'] } },
    proxy: {
      endpoints: {
        '/open': {
          target: `http://localhost:${port}`,
          credentials: 'dangerously-allow-unauthenticated',
        },
      },
    },
  });
  let latest: Configuration = { apiGate, config: settings };
  const started = await backends.start({
    apiGate,
    features: [
      badges.feature,
      catalogPlugin,
      eventsPlugin,
      live.feature,
      proxyPlugin,
    ],
    config: settings,
  });
  return {
    ...started,
    badges,
    change(changed: Configuration) {
      latest = changed;
      started.change(changed);
    },
    readPolicy: () => started.policy(SERVICE),
    async readReportOnly() {
      // After a change of the configuration, the report is not one that was made before.
      started.change(latest);
      const { reportOnly } = await started.policy(SERVICE);
      return reportOnly!;
    },
  };
}

type Backend = Awaited<ReturnType<typeof start>>;

/** Requests of scanners and of expired sessions: each is refused by Backstage, or finds nothing. */
async function sendUseless({ get, request, sign, upgrade }: Backend) {
  const expired = await sign({ iat: 1_000_000_000, exp: 1_000_003_600 });
  const answers = [
    await get('/api/badges/.env'),
    await get('/api/badges/wp-login.php?x=1'),
    await get("/api/badges/'%20}%0A-%20{x"),
    await get('/api/nosuchplugin/x'),
    await get('/api/proxy/open/admin'),
    await get('/api/catalog/entities'),
    await request('POST', '/api/catalog/refresh'),
    await request('POST', BADGE),
    await request('POST', '/api/events/http/nosuchtopic'),
    await get('/api/catalog/entities', bearer(expired)),
    await get('/api/catalog/entities', cookie(expired)),
    await get('/api/badges/broken'),
    await get('/api/badges/private'),
    await get('/api/badges/login-first'),
    await upgrade('/api/live/closed'),
    await upgrade('/api/live/nothing'),
  ];
  expect(answers.map(({ status }) => status)).toEqual([
    ...[404, 404, 404, 404, 404, 401, 401, 405, 404, 401, 401, 500, 302, 302],
    ...[401, 404],
  ]);
}

/** Requests that work, and that nobody should have to guess. */
async function sendUseful({ get, request, sign, upgrade }: Backend) {
  const expired = await sign({ iat: 1_000_000_000, exp: 1_000_003_600 });
  const opened = await upgrade('/api/live/open');
  opened.destroy();
  const answers = [
    await get(BADGE),
    await get(`${BADGE}?style=flat&token=secret`),
    await request('HEAD', BADGE),
    await get('/api/badges/home'),
    await get('/api/badges/old'),
    await get(BADGE, bearer(expired)),
    await get(`/api/badges/t/${JWT}`),
    await get(`/api/badges/t/${ID}`),
    await get('/api/badges/odd%20path'),
    await request(
      'POST',
      '/api/events/http/github',
      ['Content-Type: application/json'],
      '{}',
    ),
    await get('/api/proxy/open/page.html'),
    opened,
  ];
  expect(answers.map(({ status }) => status)).toEqual([
    ...[200, 200, 200, 302, 304, 200, 200, 200, 200, 202, 200, 101],
  ]);
}

/** Sends a request whose client leaves before the answer. */
async function sendAborted({ badges, port }: Backend) {
  const socket = connect(port, 'localhost', () =>
    socket.write('GET /api/badges/hangs HTTP/1.1\r\nHost: localhost\r\n\r\n'),
  );
  await until(() => badges.handled.some(each => each.path === '/hangs'));
  socket.destroy();
}

/** The rules that are proposed, with the comment taken away. */
const uncommented = (lines: (string | undefined)[]) =>
  lines.flatMap(line => parse((line ?? '').replace(/^# /, '')) ?? []);

// Goes in October 2027: releases before November 2026 have no handlers, and the plugin listens from its first request on.
const describeWithWebSockets =
  'createWebSocketRouter' in httpRouter ? describe : describe.skip;

describeWithWebSockets(
  '[P60] report-only, after a day of requests to the stock app',
  () => {
    it('lists what worked and would be refused, and nothing else', async () => {
      const backend = await start({ mode: 'report-only' });
      await sendUseless(backend);
      await sendAborted(backend);
      await until(async () => {
        const { refusals } = await backend.readPolicy();
        return refusals.last.some(({ answer }) => answer === 'aborted');
      });
      expect((await backend.readReportOnly()).worked).toEqual([]);

      await sendUseful(backend);
      const today = new Date().toISOString().slice(0, 10);
      const day = expect.stringMatching(`^${today}T.*Z$`);
      const seen = { firstSeen: day, lastSeen: day };
      /** Returns what has worked at a path, such as `badges GET /home`. */
      const workedAt = (at: string, status: number, requests = 1) => {
        const [plugin, method, below] = at.split(' ');
        return { ...seen, plugin, method, path: below, status, requests };
      };
      /** Returns the same with the rule that is proposed for it. */
      const proposed = (at: string, status: number, requests = 1) => {
        const each = workedAt(at, status, requests);
        const { plugin, method, path: below } = each;
        return {
          ...each,
          yaml: `# - { plugin: ${plugin}, path: '${below}', methods: [${method}] }  # ${requests} request${requests === 1 ? '' : 's'} on ${today}, answered ${status}`,
        };
      };
      const badge = BADGE.replace('/api/badges', '');
      const { worked, ...others } = await backend.readReportOnly();
      expect(others).toEqual({
        since: (await backend.readPolicy()).refusals.since,
      });
      const why = expect.stringMatching(/^no rule is proposed/);
      expect(worked).toHaveLength(10);
      expect(worked).toEqual(
        expect.arrayContaining([
          proposed(`badges GET ${badge}`, 200, 2),
          proposed(`badges HEAD ${badge}`, 200),
          proposed('badges GET /home', 302),
          proposed('badges GET /old', 304),
          // Two with something like a token, and one that no rule may have.
          { ...workedAt('badges GET /t/*', 200, 2), why },
          { ...workedAt('badges GET', 200), why },
          {
            ...workedAt(`badges GET ${badge}`, 200),
            reason: 'invalid-token, expired',
            why: 'a credential would be refused (invalid-token, expired)',
          },
          proposed('events POST /http/github', 202),
          { ...workedAt('live WEBSOCKET /open', 101), why },
          { ...workedAt('proxy GET /open/page.html', 200), why },
        ]),
      );
      expect(JSON.stringify(worked)).not.toMatch(/eyJ|3f2504e0|=secret|style/);

      const { refusals } = await backend.readPolicy();
      const answersAt = (at: string) =>
        refusals.last
          .filter(each => `${each.plugin} ${each.path}`.startsWith(at))
          .map(({ answer }) => answer);
      expect(answersAt('badges /entity')).toEqual([
        ...['worked', 'worked', 'worked', 'worked', 'failed'],
      ]);
      expect(answersAt('badges /private')).toEqual(['redirected']);
      expect(answersAt('badges /login-first')).toEqual(['redirected']);
      expect(answersAt('badges /broken')).toEqual(['failed']);
      expect(answersAt('badges /.env')).toEqual(['not-found']);
      expect(answersAt('catalog /entities')).toEqual([
        ...['refused', 'refused', 'refused'],
      ]);
      expect(answersAt('live /closed')).toEqual(['refused']);
      expect(answersAt('live /nothing')).toEqual(['not-found']);
    });

    it('proposes rules that open nothing as printed, and that keep working what they name', async () => {
      const reporting = await start({ mode: 'report-only' });
      await sendUseless(reporting);
      await sendUseful(reporting);
      const { worked } = await reporting.readReportOnly();
      const proposed = worked!.flatMap(({ yaml }) => yaml ?? []);
      expect(parse(proposed.join('\n'))).toBeNull();
      const asPrinted = parse(
        `allow:\n${proposed.map(line => `  ${line}\n`).join('')}`,
      );

      for (const [apiGate, status] of [
        [asPrinted, 401],
        [{ allow: uncommented(proposed) }, 200],
      ] as const) {
        const enforcing = await start(apiGate, {
          events: { modules: { github: { webhookSecret: 'a secret' } } },
        });
        const found = whatsOf(await enforcing.readPolicy(), 'public');
        expect(found).toHaveLength(status === 401 ? 0 : 5);
        const { get, request, statusOf, upgradeStatus } = enforcing;
        expect(await statusOf(BADGE)).toBe(status);
        expect((await request('HEAD', BADGE)).status).toBe(status);
        expect((await get('/api/badges/home')).status).toBe(
          status === 401 ? 401 : 302,
        );
        for (const target of [
          '/api/badges/start',
          `/api/badges/t/${ID}`,
          '/api/badges/.env',
          '/api/proxy/open/page.html',
          '/api/catalog/entities',
          `${BADGE}/below`,
        ]) {
          expect([target, await statusOf(target)]).toEqual([target, 401]);
        }
        expect((await request('POST', BADGE)).status).toBe(401);
        const webhook = await request(
          'POST',
          '/api/events/http/github',
          ['Content-Type: application/json'],
          '{}',
        );
        expect(webhook.status).toBe(status === 401 ? 401 : 202);
        expect(await upgradeStatus('/api/live/open')).toBe(401);
        await backends.stopAll();
      }
    });

    it('[P29] has a line of the log at once for the first request of each kind that worked, and of each that did not', async () => {
      const backend = await start({ mode: 'report-only' });
      await sendUseless(backend);
      await sendUseful(backend);
      const lines = backend
        .logged('API gate would have refused')
        .map(({ meta }) => meta as Record<string, unknown>);
      const { refusals, reportOnly } = await backend.readPolicy();
      const worked = lines.filter(({ answer }) => answer === 'worked');
      expect(worked.map(line => pick(line, NAMES))).toEqual(
        expect.arrayContaining(
          reportOnly!.worked.map(each => pick(each, NAMES)),
        ),
      );
      expect(worked).toHaveLength(reportOnly!.worked.length);
      const { length } = refusals.counts;
      expect(lines).toHaveLength(length);
      // After a stop, one search has lines that add up to all requests.
      await backend.stop();
      const all = backend
        .logged('API gate would have refused')
        .map(({ meta }) => meta as Record<string, unknown>);
      expect(sumBy(all, 'requests')).toBe(sumBy(refusals.counts, 'requests'));
      expect(JSON.stringify(all)).not.toMatch(/eyJ|3f2504e0|secret|style/);
    });

    it('leaves out what a rule opens, with the YAML of docs/rollout.md, and marks what is kept closed', async () => {
      const backend = await start({ mode: 'report-only' });
      await backend.get('/api/badges/home');
      await backend.get('/api/badges/old');
      expect((await backend.readReportOnly()).worked).toHaveLength(2);
      const [page] = codeBlocks('yaml').filter(
        ({ file, text }) => file === 'docs/rollout.md' && /closed:/.test(text),
      );
      const { apiGate } = parse(page.text).auth;
      const config = { backend: { auth: OPERATOR } };
      const marksAfter = async (change: JsonObject) => {
        backend.change({ apiGate: { ...apiGate, ...change }, config });
        const { worked } = await backend.readReportOnly();
        return worked.map(each => [each.path, each.isKeptClosed]);
      };
      expect(await marksAfter({})).toEqual([['/old', undefined]]);
      expect(await marksAfter({ allow: [], closed: ['badges'] })).toEqual([
        ['/home', true],
        ['/old', true],
      ]);
    });
  },
);
