import type { JsonObject } from '@backstage/types';
import { replay } from '../../../dev/attack';
import { HANDLER_HEADER } from '../../../dev/openPlugins';
import { factsOf, whatsOf } from '../../../src/__tests__/__testUtils__/factsOf';
import { rawRequest } from '../../../src/__tests__/__testUtils__/rawRequest';
import { ATTACKS } from '../../../src/__tests__/__testUtils__/wellKnownAttacks';
import type { PolicyReport } from '../../../src/operators/reports/createPolicyReport';
import { HELLO, send, signOut } from '../../http';
import { expectEqual, Report } from '../../Report';
import { DynamicBackend, linesAt, READER_TOKEN } from './World';

/** The rules that the attacks of `src/__tests__/attacks` are made for. */
export const ATTACKED: JsonObject = {
  auth: {
    apiGate: {
      allow: [
        ...['/health', '/public/**', '/logo.svg', '/entity/*/badge/*'].map(
          path => ({ plugin: 'hello', path }),
        ),
        { plugin: 'hello', path: '/hook', methods: ['POST'] },
        { plugin: 'docs', path: '/static/public' },
      ],
    },
  },
};

/** A path of a plugin that is no dynamic one. */
export const CATALOG = '/api/catalog/entities';

/** The header lines of a handshake. */
const UPGRADE = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];

/**
 * Checks a backend that has loaded the gate.
 *
 * @param open - the same backend without the gate, which shows that the attacks do reach handlers
 * @param missing - the variables that this backend does not have
 */
export async function checkDecisions(
  report: Report,
  {
    open,
    gated,
    missing,
  }: { open: DynamicBackend; gated: DynamicBackend; missing: string[] },
): Promise<void> {
  const titled = missing.length > 0 ? 'without the variables' : 'with them';

  await report.check(`[P70] no attack reaches a handler, ${titled}`, () =>
    checkAttacks(open, gated),
  );
  await report.check(`[P70] who passes, ${titled}`, () => checkCallers(gated));
  await report.check(`[P70] the policy is what is known, ${titled}`, () =>
    checkPolicy(gated, missing),
  );
  await report.check(`[P70] one line of the start names them, ${titled}`, () =>
    checkStartLine(gated, missing),
  );
}

/** Sends the attacks of `src/__tests__/attacks` that need no keys of the tests. */
async function checkAttacks(open: DynamicBackend, gated: DynamicBackend) {
  let sent = 0;
  let reachedOpen = 0;
  const bypasses: string[] = [];
  for await (const { alone, gate, method, target } of replay(open, gated)) {
    sent += 1;
    reachedOpen += Number(alone.reached);
    if (gate.reached) {
      bypasses.push(`${method} ${target}`);
    }
  }
  for (const plugin of ['hello', 'absent']) {
    for (const { method, path, headers, body } of ATTACKS) {
      const target = `/api/${plugin}${path}`;
      const answer = await rawRequest(gated.port, target, {
        method,
        headerLines: headers,
        body,
      });
      sent += 1;
      if (HANDLER_HEADER.toLowerCase() in answer.headers) {
        bypasses.push(`${method} ${target}`);
      }
    }
  }
  expectEqual('bypasses', bypasses, []);
  if (reachedOpen < 150) {
    throw new Error(`Only ${reachedOpen} attacks reach a backend of stock`);
  }
  return `0 of ${sent} requests, ${reachedOpen} of which reach a handler without the gate`;
}

async function checkCallers({ port, url }: DynamicBackend) {
  const signedIn = await fetch(`${url}/api/auth/visitor/refresh`);
  const bearer = (await signedIn.json()).backstageIdentity.token;
  const statuses: Record<string, number[]> = {};
  for (const path of [HELLO, CATALOG, '/api/absent/x', '/api/hello/health']) {
    const answers = [
      await send(port, { path }),
      await send(port, { path, bearer: `${bearer}x` }),
      await send(port, { path, bearer }),
      await send(port, { path, cookie: `token=${bearer}` }),
    ];
    statuses[path] = answers.map(({ status }) => status);
  }
  expectEqual('statuses', statuses, {
    [HELLO]: [401, 401, 200, 200],
    [CATALOG]: [401, 401, 200, 200],
    '/api/absent/x': [401, 401, 404, 404],
    '/api/hello/health': [200, 200, 200, 200],
  });
  for (const plugin of ['hello', 'absent']) {
    const { status } = await rawRequest(port, `/api/${plugin}/x`, {
      headerLines: UPGRADE,
    });
    expectEqual(`the upgrade at ${plugin}`, status, 401);
  }
  const signedOut = await signOut(port, `token=${bearer}`);
  const after = await send(port, { path: HELLO, bearer });
  expectEqual(
    'after the sign-out',
    [signedOut.status, after.status],
    [204, 401],
  );
  return 'dynamic, static and absent plugins, upgrades, a sign-out';
}

async function checkPolicy({ port }: DynamicBackend, missing: string[]) {
  const { body } = await send(port, {
    path: '/api/auth/api-gate/v1/policy',
    bearer: READER_TOKEN,
  });
  const report: PolicyReport = JSON.parse(body);
  expectEqual('enforced', report.enforced, true);
  const unknown = whatsOf(report, 'not known');
  const opened = factsOf(report, 'declared open')
    .filter(({ note = '' }) => note !== 'always public')
    .map(({ what }) => what);
  if (missing.includes('ENABLE_CORE_HTTPROUTER_OVERRIDE')) {
    expectEqual('closed', opened, []);
    expectEqual('unknown', unknown.includes('hello'), true);
    return `unknown: ${unknown.join(', ')}`;
  }
  expectEqual('unknown', unknown, []);
  expectEqual(
    'closed',
    ['docs/**', 'docs/static', 'hello/**'].filter(
      each => !opened.some(what => what.includes(`/api/${each}`)),
    ),
    [],
  );
  return `${opened.length} paths that plugins open, none unknown`;
}

async function checkStartLine(gated: DynamicBackend, missing: string[]) {
  const lines = linesAt(gated, 'warn', 'info').filter(line =>
    line.includes('_OVERRIDE'),
  );
  const named = lines.map(line => line.match(/(\w+)=true/)?.[1]);
  expectEqual('variables', named.sort(), [...missing].sort());
  return lines[0] ?? 'no line';
}
