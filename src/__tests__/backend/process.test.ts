import type { JsonObject } from '@backstage/types';
import { merge } from 'lodash';
import type { PolicyReport } from '../../operators/reports/createPolicyReport';
import { whatsOf } from '../__testUtils__/factsOf';
import {
  BackendProcess,
  FILE,
  startBackendProcess,
} from '../__testUtils__/backendProcess';
import { bearer, POLICY } from '../__testUtils__/requestParts';
import { serve } from '../__testUtils__/serve';
import { until as untilWithin } from '../__testUtils__/until';

jest.setTimeout(60_000);

// A process of its own compiles all that it loads.
const until = (condition: () => Promise<boolean> | boolean) =>
  untilWithin(condition, 25_000);

const running: BackendProcess[] = [];
async function start(...args: Parameters<typeof startBackendProcess>) {
  const backend = await startBackendProcess(...args);
  running.push(backend);
  return backend;
}
afterEach(async () => {
  await Promise.all(running.splice(0).map(backend => backend.stop()));
});

const RULE = { plugin: 'hello', path: '/health' };
const OTHER = { ...RULE, path: '/other' };
const withRule = (rule: JsonObject) => ({
  auth: { apiGate: { allow: [rule] } },
});

const READER = 'token-of-a-reader-of-the-policy';
const WITHOUT_GATE = {
  backend: {
    auth: {
      externalAccess: [
        { type: 'static', options: { token: READER, subject: 'reader' } },
      ],
    },
  },
};

async function readPolicy(backend: BackendProcess): Promise<PolicyReport> {
  const { body } = await backend.get(POLICY, bearer(READER));
  return JSON.parse(body);
}

/** Returns the statuses of two paths of a plugin that is not installed, which is 404 for whom the gate lets through. */
const statusesOf = (backend: BackendProcess) =>
  Promise.all(
    [RULE, OTHER].map(({ plugin, path }) =>
      backend.statusOf(`/api/${plugin}${path}`),
    ),
  );

describe('a backend in a process of its own', () => {
  it('stays, live and not ready, while its configuration is wrong, and comes up after a restart with what the error asks for', async () => {
    const first = await start(withRule({ ...RULE, path: 'health' }));
    await until(async () => (await first.probe())[1] === 200);
    // Kubernetes ends a pod after three failed probes of liveness in a row.
    for (let i = 0; i < 5; i += 1) {
      expect(await first.probe()).toEqual([503, 200]);
      await new Promise(resolve => setTimeout(resolve, 1_000));
    }
    expect(first.isRunning()).toBe(true);
    expect(await first.statusOf('/api/auth/guest/refresh')).toBe(404);
    const [line, ...others] = first.logged('auth.apiGate');
    expect(JSON.parse(line)).toMatchObject({
      level: 'error',
      message:
        'Unhandled rejection auth.apiGate.allow[0].path must be text that starts with a slash, relative to the plugin, such as /health',
    });
    expect(others).toEqual([]);

    // The process has given up: a corrected file changes nothing until it is restarted.
    first.write(withRule(RULE));
    await new Promise(resolve => setTimeout(resolve, 2_000));
    expect(await first.probe()).toEqual([503, 200]);
    const second = await start(withRule(RULE));
    await until(async () => (await second.probe())[0] === 200);
    expect(await second.waitForLogged('API gate: enforce')).toHaveLength(1);
  });

  it.each(['"report-only"', 'report-only'])(
    'takes the mode from the environment: %s',
    async mode => {
      const backend = await start(withRule(RULE), {
        APP_CONFIG_auth_apiGate_mode: mode,
      });
      await until(async () => (await backend.probe())[0] === 200);
      expect(await backend.waitForLogged('API gate: report-only')).toHaveLength(
        1,
      );
      expect(await backend.statusOf('/api/absent/x')).toBe(404);
      expect(
        await backend.waitForLogged('API gate would have refused a request'),
      ).toHaveLength(1);
    },
  );

  it.each([
    ['report-only', []],
    ['enforce', []],
    ['enforce', [FILE]],
  ])(
    '[P100][P101] in %s, follows a server that has its configuration beside the files %j, and keeps its policy while the server is at fault',
    async (mode, files) => {
      let answer = { status: 200, text: '' };
      let answered = 0;
      const server = await serve((_req, res) => {
        answered += 1;
        res.writeHead(answer.status).end(answer.text);
      });
      const backend = await start(WITHOUT_GATE, {}, () => [
        ...files,
        `${server.url}/${FILE}`,
      ]);
      const textWith = (...allow: JsonObject[]) =>
        backend.textOf(
          merge({ auth: { apiGate: { mode, allow } } }, WITHOUT_GATE),
        );
      const expectPolicy = async (rules: JsonObject[], problem?: unknown) => {
        const report = await readPolicy(backend);
        expect(report).toMatchObject({ mode });
        expect(whatsOf(report, 'public')).toEqual(
          rules.map(({ plugin, path }) => `GET   /api/${plugin}${path}`),
        );
        expect(report.problem).toEqual(problem);
        expect(report.filesNewerThanPolicy ?? []).toEqual([]);
        const closed = mode === 'enforce' ? 401 : 404;
        const health = rules.length > 0 ? 404 : closed;
        expect(await statusesOf(backend)).toEqual([health, closed]);
      };
      const change = async (...rules: JsonObject[]) => {
        answer = { status: 200, text: textWith(...rules) };
        // Beside files, a change waits until these are complete.
        await untilWithin(async () => {
          const found = whatsOf(await readPolicy(backend), 'public');
          return found.length === rules.length;
        }, 10_000);
        await expectPolicy(rules);
      };

      /** Waits until the backend has read the answer: the second reading begins after it is done with the first. */
      const readTwice = async () => {
        const before = answered;
        await until(() => answered >= before + 2);
      };

      answer.text = textWith(RULE);
      await until(async () => (await backend.probe())[0] === 200);
      await expectPolicy([RULE]);
      for (const [status, text] of [
        [200, ''],
        [200, '# Nothing\n'],
        [200, `${textWith(OTHER)}  broken: {`],
        [500, textWith(OTHER)],
      ] as const) {
        answer = { status, text };
        await readTwice();
        await expectPolicy([RULE]);
      }
      answer = { status: 200, text: backend.textOf(WITHOUT_GATE) };
      await until(
        async () => (await readPolicy(backend)).problem !== undefined,
      );
      const gone = `auth.apiGate is gone from ${server.url}/${FILE}`;
      await expectPolicy([RULE], expect.stringContaining(gone));
      await change();
      await change(RULE);
    },
  );

  it('logs a refusal in one line of the gate and one of the auditor, beside the access log, without a stack or a secret', async () => {
    const audited = await start({});
    const alone = await start({
      backend: { auditor: { severityLogLevelMappings: { medium: 'debug' } } },
    });
    const secrets = ['s3cret-token', 's3cret-cookie', 's3cret-query'];
    const [token, cookie, query] = secrets;
    /** Returns the lines that one refusal has made the process log. */
    const linesOf = async (backend: BackendProcess) => {
      await until(async () => (await backend.probe())[0] === 200);
      const before = backend.logged('{').length;
      const { headers } = await backend.get(
        `${POLICY}?q=${query}`,
        bearer(token),
        `Cookie: a=${cookie}`,
      );
      // The lines of one more refusal show that all lines of the first are there.
      await backend.get('/api/absent/x');
      await backend.waitForLogged('/api/absent/x');
      const lines = backend
        .logged('{')
        .slice(before)
        .filter(line => !/not installed|absent/.test(line));
      const decision = headers['api-gate-decision'];
      for (const line of lines.filter(each => each.includes(decision!))) {
        expect(line).not.toMatch(/"stack"|s3cret/);
      }
      return lines.map(line => JSON.parse(line));
    };
    const what = { plugin: 'auth', method: 'GET', reason: 'invalid-token' };
    const own = { message: 'API gate refused a request', ...what };
    const access = { type: 'incomingRequest' };
    const event = {
      message: 'auth.api-gate-denial',
      isAuditEvent: true,
      meta: { ...what, outcome: 'refused' },
    };
    expect(await linesOf(audited)).toMatchObject([own, event, access]);
    expect(await linesOf(alone)).toMatchObject([own, access]);
  });
});
