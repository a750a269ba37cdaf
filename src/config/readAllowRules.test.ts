import fs from 'node:fs';
import path from 'node:path';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { rawRequest } from '../__testUtils__/rawRequest';
import { RunningBackend, startBackend } from '../__testUtils__/startBackend';
import {
  RunningLegacyGate,
  startLegacyGate,
} from '../__testUtils__/startLegacyGate';
import { AllowList, AllowRule } from '../request/AllowList';
import { readAllowRules } from './readAllowRules';

jest.setTimeout(60_000);

interface Row {
  rule: unknown;
  expect: 'accept' | 'warn' | 'reject';
  why: string;
}

const file = [
  path.resolve(__dirname, '../../../shared/allowlist-rules.json'),
  path.resolve(__dirname, '../__testUtils__/allowlist-rules.json'),
].find(candidate => fs.existsSync(candidate))!;
const rows: Row[] = JSON.parse(fs.readFileSync(file, 'utf8'), (_, value) =>
  typeof value?.times === 'number' ? value.repeat.repeat(value.times) : value,
);

/** The value of `auth.apiGate.allow` that a row stands for. */
function allowOf({ rule }: Row): unknown {
  return rule === null || typeof rule === 'string' || Array.isArray(rule)
    ? rule
    : [rule];
}

const name = (row: Row) =>
  `${JSON.stringify(row.rule)?.slice(0, 80)}: ${row.why}`;
const rejected = rows.filter(row => row.expect === 'reject');
const taken = rows.filter(row => row.expect !== 'reject');

describe('readAllowRules', () => {
  it('has a table to walk', () => {
    expect(rejected.length).toBeGreaterThan(30);
    expect(taken.length).toBeGreaterThan(10);
  });

  it.each(rejected.map(row => [name(row), row] as const))(
    'rejects %s',
    (_, row) => {
      const read = () => readAllowRules(allowOf(row), 'auth.apiGate.allow');
      expect(read).toThrow(/^auth\.apiGate\.allow\S* [^\n]+$/);
    },
  );

  it.each(taken.map(row => [name(row), row] as const))('takes %s', (_, row) => {
    const { warnings } = readAllowRules(allowOf(row), 'auth.apiGate.allow');
    // That a plugin is not installed is for the backend to say, and so is that a public route is unsafe.
    const expectsWarning =
      row.expect === 'warn' && !row.why.includes('not installed');
    const unsafe = /methods":\["POST/.test(JSON.stringify(row.rule));
    expect(warnings.length > 0).toBe(expectsWarning || unsafe);
  });

  it.each([
    [{ plugin: 'pub', path: 'health' }, '[0].path must be text that starts'],
    [
      { plugin: 'pub', path: '/h', methods: ['get'] },
      '[0].methods[0] must be in upper case: GET',
    ],
    [{ plugin: 'pub', path: '/health/' }, 'write /health'],
    [{ plugin: 'pub', path: '/a//**' }, 'write /a/**'],
    [{ plugin: 'pub', path: '//**' }, 'write /**'],
    [{ plugin: 'pub', path: '//' }, 'write /'],
    [{ plugin: 'pub', path: '/api/pub/x' }, 'leave out the leading /api/pub'],
    [
      { plugin: 'pub', path: '/h', method: ['GET'] },
      '[0].method is not known: use plugin, path, methods, reason',
    ],
    [
      { plugin: 'Pub', path: '/h' },
      '[0].plugin must be one plugin id in lower case',
    ],
    [{ path: '/h' }, '[0].plugin must be one plugin id'],
    [{ plugin: 'pub' }, '[0].path must be text'],
    [null, '[0] must be an object with the keys plugin, path'],
  ])('says of %j what to write instead', (rule, message) => {
    expect(() => readAllowRules([rule], 'auth.apiGate.allow')).toThrow(message);
  });

  it('names the rule in a list', () => {
    expect(() =>
      readAllowRules(
        [
          { plugin: 'a', path: '/a' },
          { plugin: 'b', path: '/b' },
          { plugin: 'c', path: 'c' },
        ],
        'auth.apiGate.allow',
      ),
    ).toThrow('auth.apiGate.allow[2].path must be text');
  });
});

describe('each rule that is taken, in a backend and on the legacy system', () => {
  const pub = recordingPlugin('pub');
  let backend: RunningBackend | undefined;
  let legacy: RunningLegacyGate | undefined;

  afterEach(async () => {
    await backend?.stop();
    await legacy?.stop();
    backend = undefined;
    legacy = undefined;
  });

  it.each(taken.map(row => [name(row), row] as const))('%s', async (_, row) => {
    backend = await startBackend({
      withAuth: false,
      features: [pub.feature],
      config: { auth: { apiGate: { allow: allowOf(row) as never } } },
    });
    const { port } = backend;
    legacy = await startLegacyGate({
      apiGate: { allow: allowOf(row) as never },
    });
    const { rules } = readAllowRules(allowOf(row), 'auth.apiGate.allow');
    const list = new AllowList(rules);

    const probes = new Set(['/', '/health', '/healthx', '/x', '/static']);
    for (const { path: rulePath } of rules) {
      probes.add(rulePath.replace(/\*\*$/, 'a/b'));
      probes.add(`${rulePath.replace(/\/\*\*$/, '')}x`);
    }
    for (const method of ['GET', 'HEAD', 'POST', 'PUT']) {
      for (const probe of probes) {
        const isOpen = modelSays(rules, method, probe);
        expect(Boolean(list.match('pub', method, probe))).toBe(isOpen);
        const before = pub.handled.length;
        const target = `/api/pub${probe === '/' ? '' : probe}`;
        const { status } = await rawRequest(port, target, { method });
        expect([method, probe, status]).toEqual([
          method,
          probe,
          isOpen ? 200 : 401,
        ]);
        expect(pub.handled.length - before).toBe(isOpen ? 1 : 0);
        const answer = await rawRequest(legacy.port, target, { method });
        expect(answer.status).toBe(status);
      }
    }
    const warns = backend.log.some(
      ({ level, message }) =>
        level === 'warn' && message.startsWith('auth.apiGate.allow['),
    );
    expect(warns).toBe(
      row.expect === 'warn' ||
        JSON.stringify(row.rule)?.includes('POST') === true,
    );
  });
});

/** What the rules say, told in another way than the product tells it. */
function modelSays(rules: AllowRule[], method: string, probe: string): boolean {
  return rules.some(
    rule =>
      rule.plugin === 'pub' &&
      (rule.methods.includes(method) ||
        (method === 'HEAD' && rule.methods.includes('GET'))) &&
      (rule.path.endsWith('/**')
        ? probe.startsWith(rule.path.slice(0, -2))
        : rule.path === probe),
  );
}

it('stops the start of a backend at a rule that is rejected', async () => {
  for (const row of rejected) {
    await expect(
      startBackend({
        withAuth: false,
        config: { auth: { apiGate: { allow: allowOf(row) as never } } },
      }),
    ).rejects.toThrow(/auth\.apiGate\.allow\S* /);
    await expect(
      startLegacyGate({ apiGate: { allow: allowOf(row) as never } }),
    ).rejects.toThrow(/^auth\.apiGate\.allow\S* /);
  }
});
