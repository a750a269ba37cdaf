import type { JsonObject } from '@backstage/types';
import { parse } from 'yaml';
import { answeringProvider } from '../../__testUtils__/authProvider';
import {
  blocksAfter,
  codeIn,
  proseOf,
  readDocument,
  tableRows,
} from '../../__testUtils__/documents';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import {
  bearer,
  cookie,
  now,
  REVOCATIONS,
  SAME_ORIGIN,
} from '../../__testUtils__/requestParts';
import { describeWithCurl, runShell } from '../../__testUtils__/runShell';
import { signedBackends } from '../../__testUtils__/signedBackends';

const PAGE = 'docs/sign-out.md';
const JANE = 'user:default/jane';

const backends = signedBackends();
jest.setTimeout(120_000);
afterEach(backends.stopAll);

const gateOf = (text: string): JsonObject => parse(text).auth.apiGate;

/** Starts a backend with a provider that has `signIn`, and the plugin `catalog`. */
async function start(apiGate: JsonObject = {}) {
  // It finds nobody.
  const catalog = recordingPlugin('catalog', {
    handle: (_req, res) => res.json({ items: [null] }),
  });
  const backend = await backends.start({
    apiGate,
    features: [
      catalog.feature,
      answeringProvider('signs-in', async (_req, res) => void res.end()),
    ],
    config: { auth: { providers: { 'signs-in': { test: { signIn: {} } } } } },
  });
  return {
    ...backend,
    statusOf: (token: string) =>
      backend.statusOf('/api/catalog/x', bearer(token)),
    /** Sends one of the calls of the page. */
    call: async (written: string, headerLine: string) => {
      const [method, target] = written
        .replace('<provider>', 'signs-in')
        .replace('<plugin>', 'catalog')
        .split(' ');
      return (await backend.request(method, target, [headerLine, SAME_ORIGIN]))
        .status;
    },
  };
}

const calls = tableRows(PAGE, ['Call', 'Ends']).flatMap(([call]) =>
  codeIn(call),
);

describe('docs/sign-out.md', () => {
  const [ofUser] = blocksAfter(PAGE, 'What ends a session');

  it('has the two calls', () => expect(calls).toHaveLength(2));

  it.each([
    ['of the browser, by default', {}, 200],
    ['of the user, with the scope of the page', gateOf(ofUser), 401],
  ])('has calls that end the session %s', async (_, apiGate, others) => {
    for (const call of calls) {
      const backend = await start(apiGate);
      const [older, token] = [
        await backend.sign({ sub: JANE, iat: now() - 5 }),
        await backend.sign({ sub: JANE }),
      ];
      expect(await backend.call(call, cookie(token))).toBeLessThan(300);
      expect(await backend.statusOf(token)).toBe(401);
      expect(await backend.statusOf(older)).toBe(others);
    }
  });

  it('has the call by which a guest tries a sign-out', async () => {
    const [, section] = proseOf(readDocument(PAGE)).split(
      '## What ends nothing',
    );
    const [logout, withBearer] = codeIn(section).filter(code =>
      /^(POST|DELETE) /.test(code),
    );
    const backend = await start();
    const guest = await backend.guest();
    expect(await backend.call(logout, bearer(guest))).toBe(404);
    expect(await backend.statusOf(guest)).toBe(200);
    expect(await backend.call(withBearer, bearer(guest))).toBe(204);
    expect(await backend.statusOf(guest)).toBe(401);
  });
});

describeWithCurl(`${PAGE}: when somebody leaves`, () => {
  const [command] = blocksAfter(PAGE, 'When somebody leaves', 'sh');
  const end = new Date(Date.now() + 23 * 3_600_000).toISOString();

  it('the command signs the user out until then, with the fields of the table', async () => {
    const operator = 'user:development/guest';
    const backend = await start({ operators: [operator] });
    const env = { TOKEN: await backend.guest() };
    const run = async () => {
      const text = command.replace(/\d{4}-\d\d-\d\dT[\d:]+Z/, end);
      return JSON.parse(await runShell(text, { url: backend.url, env }));
    };
    const [past, future] = [
      await backend.sign({ sub: JANE, iat: now() - 5 }),
      await backend.sign({ sub: JANE, iat: now() + 60 }),
    ];
    const answers = [await run(), await run()];
    for (const token of [past, future]) {
      expect(await backend.statusOf(token)).toBe(401);
    }
    const fields = tableRows(PAGE, ['Field', 'Meaning']).flatMap(([field]) =>
      codeIn(field),
    );
    for (const answer of answers) {
      expect(Object.keys(answer).sort()).toEqual(fields.sort());
      expect(answer.offlineSessions).toBe('disabled');
      expect(Date.parse(answer.until) - Date.parse(end)).toBeLessThan(1_000);
    }
  });

  it('names the two calls by which the user still signs out', async () => {
    const backend = await start({ operators: ['user:development/guest'] });
    const token = await backend.sign({ sub: JANE });
    const { status } = await backend.post(REVOCATIONS, await backend.guest(), {
      userEntityRef: JANE,
      until: end,
    });
    expect(status).toBe(201);
    expect(await backend.statusOf(token)).toBe(401);
    for (const call of calls) {
      expect(await backend.call(call, cookie(token))).toBeLessThan(300);
    }
  });
});
