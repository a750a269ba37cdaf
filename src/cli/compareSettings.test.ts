import type { IncomingMessage } from 'node:http';
import path from 'node:path';
import { ConfigReader } from '@backstage/config';
import type { JsonObject } from '@backstage/types';
import { merge, uniq } from 'lodash';
import { stringify } from 'yaml';
import {
  JUDGED,
  OF_ISSUER,
  OF_BACKENDS,
  OF_COMMANDS,
  Pair,
  PORTAL,
  RULE,
} from '../__tests__/__testUtils__/comparedSettings';
import {
  folderWith,
  runCliIn,
  writeInto,
} from '../__tests__/__testUtils__/runCli';
import { judge } from '../__tests__/proof/reference';
import { PLAIN, State } from '../__tests__/proof/states';
import { ConfiguredPolicy } from '../settings/ConfiguredPolicy';
import { readApiGateConfig } from '../settings/read/readApiGateConfig';
import { COMPARED, NOT_COMPARED } from './compareSettings';

jest.setTimeout(60_000);

const configOf = (settings: JsonObject) =>
  merge(
    {
      backend: { baseUrl: 'https://a.b.example.com' },
      auth: { apiGate: {} },
    },
    settings,
  );

const yamlOf = (settings: JsonObject) => stringify(configOf(settings));

async function diff(before: string, after: string, ...args: string[]) {
  const folder = folderWith({
    'base/.git': '',
    'base/a.yaml': before,
    'app/.git': '',
    'app/a.yaml': after,
  });
  const options = ['--config', 'a.yaml', '--against', '../base', ...args];
  const cwd = path.join(folder, 'app');
  const { code, stdout } = await runCliIn(['diff', ...options], { cwd });
  return { code, lines: stdout.trimEnd().split('\n') };
}

const pairs = [...JUDGED, ...OF_COMMANDS, ...OF_BACKENDS];
const named = (list: Pair[]) =>
  list.map(pair => [`${pair.settings}: ${pair.more}`, pair] as const);

describe('[P103] the table of api-gate diff', () => {
  it('has a pair of configurations for each setting of its table', () =>
    expect(uniq(pairs.map(({ settings }) => settings)).sort()).toEqual(
      Object.keys(COMPARED).sort(),
    ));

  it.each(named(pairs))(
    'fails for the wider one of two values, and for no other: %s',
    async (_, { narrow, wide, more, less }) => {
      const [before, after] = [narrow, wide].map(yamlOf);
      const fails = ['--fail-on', 'new-public'];
      const widened = await diff(before, after, ...fails);
      expect(widened.lines).toContain(more);
      expect(widened.lines.filter(line => !line.startsWith('+'))).toEqual([]);
      expect(widened.code).toBe(1);
      const narrowed = await diff(after, before, ...fails);
      expect(narrowed.lines).toContain(less);
      expect(narrowed.lines.filter(line => !line.startsWith('-'))).toEqual([]);
      expect(narrowed.code).toBe(0);
      expect((await diff(after, after, '--fail-on', 'any')).code).toBe(0);
    },
  );
});

describe('api-gate diff of a default for external tokens', () => {
  const tokens = (...entries: string[]) => `backend:
  baseUrl: https://a.example.com
  auth: { externalAccess: [{ type: jwks, options: { url: 'https://a', subjectPrefix: e } }] }
auth: { apiGate: { tokens: [${entries.map(each => `{ subject: 'external:${each} }`)}] } }\n`;
  const READS = "e:*', only: [{ plugin: a, path: /x/** }]";

  it.each([
    ['allows nothing', "e:a*', only: []"],
    ['allows what a default allows', "e:a', only: [{ plugin: a, path: /x/y }]"],
    ['has ended', "e:a', only: all, until: 2020-01-01"],
  ])('[P116] has no line with + for an entry that %s', async (_, entry) => {
    const { code } = await diff(
      tokens(READS),
      tokens(READS, entry),
      ...['--fail-on', 'new-public'],
    );
    expect(code).toBe(0);
  });

  it('[P116] has a line for each subject that a default allows more, and for none beside its own requests', async () => {
    const own = ["e:a', only: [{ plugin: a, path: /y }]", "e:b', only: all"];
    const { lines } = await diff(tokens(...own), tokens(...own, READS));
    expect(lines.filter(line => line.includes('external:'))).toEqual([
      '+ may more  external:e:a: GET /api/a/y; GET /api/a/x/**  auth.apiGate.tokens',
      '+ may more  external:e:*: GET /api/a/x/**  auth.apiGate.tokens',
    ]);
  });
});

describe('[P103] api-gate diff of files and variables', () => {
  const gate = (setting: string) =>
    `backend: { baseUrl: https://a.example.com }\nauth: { apiGate: { ${setting} } }\n`;
  const OPERATORS = 'operators: [{ $file: who.txt }]';
  const B = "operators: ['user:default/b']";
  const variable = (name: string) =>
    gate(`operators: ['user:default/$\{${name}:-b}']`);
  const limit = (plugin: string) =>
    `backend: { baseUrl: https://a.example.com, auth: { externalAccess: [{ type: static, options: { token: aaaaaaaa, subject: ci } }] } }
auth: { apiGate: { tokens: [{ subject: ci, only: [{ plugin: '$\{P}', path: /x }${plugin}] }] } }\n`;
  const UNKNOWN = (key: string) =>
    `+ not known  auth.apiGate.${key} holds a variable that is not set`;
  const MORE = '+ may end sessions  user:default/b  auth.apiGate.operators';

  it.each<
    [
      what: string,
      before: Record<string, string>,
      after: Record<string, string>,
      line: string | undefined,
    ]
  >([
    [
      'the content of a $file',
      { 'a.yaml': gate(OPERATORS), 'who.txt': 'user:default/a' },
      { 'a.yaml': gate(OPERATORS), 'who.txt': 'user:default/b' },
      MORE,
    ],
    [
      'a later file',
      { 'a.yaml': gate(''), 'b.yaml': gate('operators: []') },
      { 'a.yaml': gate(''), 'b.yaml': gate(B) },
      MORE,
    ],
    [
      'a file whose list a later one replaces',
      { 'a.yaml': gate(''), 'b.yaml': gate('operators: []') },
      { 'a.yaml': gate(B), 'b.yaml': gate('operators: []') },
      undefined,
    ],
    [
      'the same variable',
      { 'a.yaml': variable('A') },
      { 'a.yaml': variable('A') },
      undefined,
    ],
    [
      'another variable with the same default',
      { 'a.yaml': variable('A') },
      { 'a.yaml': variable('B') },
      UNKNOWN('operators'),
    ],
    [
      'a variable in place of a text',
      { 'a.yaml': gate(B) },
      { 'a.yaml': variable('A') },
      UNKNOWN('operators'),
    ],
    [
      'the limit of a token beside a variable',
      { 'a.yaml': limit('') },
      { 'a.yaml': limit(', { plugin: catalog, path: /** }') },
      UNKNOWN('tokens'),
    ],
    [
      'a limit with a variable, which is gone',
      { 'a.yaml': limit('') },
      { 'a.yaml': limit('').replace(/tokens: .*]/, '') },
      UNKNOWN('tokens'),
    ],
    [
      'the default policy',
      { 'a.yaml': gate('') },
      {
        'a.yaml': gate('').replace(
          ' }',
          ", auth: { dangerouslyDisableDefaultAuthPolicy: '${OFF}' } }",
        ),
      },
      '+ not known  backend.auth.dangerouslyDisableDefaultAuthPolicy holds a variable that is not set',
    ],
    [
      'an address that is another variable',
      { 'a.yaml': gate('').replace(/https:\S+/, "'${URL}'") },
      { 'a.yaml': gate('').replace(/https:\S+/, "'${OTHER}'") },
      '+ not known  backend.baseUrl holds a variable that is not set',
    ],
    [
      'the cookie beside an address that is a variable',
      { 'a.yaml': gate('').replace(/https:\S+/, "'${URL}'") },
      {
        'a.yaml': gate('cookie: { sameSite: strict }').replace(
          /https:\S+/,
          "'${URL}'",
        ),
      },
      UNKNOWN('cookie'),
    ],
  ])('compares %s', async (_, before, after, line) => {
    const folder = folderWith({ 'base/.git': '', 'app/.git': '' });
    writeInto(path.join(folder, 'base'), before);
    writeInto(path.join(folder, 'app'), after);
    const files = Object.keys(after).filter(name => name.endsWith('.yaml'));
    const args = files.flatMap(name => ['--config', name]);
    const { code, stdout } = await runCliIn(
      [
        ...['diff', ...args, '--mock-env', '--against', '../base'],
        ...['--fail-on', 'new-public'],
      ],
      { cwd: path.join(folder, 'app') },
    );
    const found = stdout.split('\n').filter(each => each.startsWith('+'));
    expect(found.filter(each => !each.startsWith('+ may read'))).toEqual(
      line ? [line] : [],
    );
    expect(code).toBe(line ? 1 : 0);
  });

  it('lists with --verbose what is not compared', async () => {
    const { stderr } = await runCliIn(
      ['diff', '--config', 'a.yaml', '--verbose', '--against', '../base'],
      {
        cwd: path.join(
          folderWith({
            'base/.git': '',
            'base/a.yaml': gate(''),
            'app/.git': '',
            'app/a.yaml': gate(''),
          }),
          'app',
        ),
      },
    );
    for (const [settings, why] of Object.entries(NOT_COMPARED)) {
      expect(stderr).toContain(`\nNot compared: ${settings}: ${why}\n`);
    }
  });
});

/** The request that a setting decides about, as `judge` sees it under a policy. */
const REQUESTS: Record<string, (policy: ConfiguredPolicy) => Partial<State>> = {
  mode: ({ isEnforced }) => ({ mode: isEnforced ? 'enforce' : 'report-only' }),
  allow: ({ allowList, now }) => ({
    route: allowList.match('hello', 'GET', '/data', now())
      ? 'rule'
      : 'protected',
  }),
  tokens: ({ tokenLimits, now }) => {
    const request = { pluginId: 'hello', method: 'GET', path: '/data' };
    // Each pair is about one of the two, and has no entry for the other.
    const refusals = ['ci', OF_ISSUER].map(subject =>
      tokenLimits.findRefusal(subject, request, now()),
    );
    const [refusal] = refusals.includes(undefined) ? [] : refusals;
    const kinds = {
      restricted: 'narrow external',
      'token-ended': 'ended external',
    } as const;
    return { authorization: refusal ? kinds[refusal] : 'external' };
  },
  credentialHeader: ({ config }) => ({
    header: config.credentialHeader === 'x-credential' ? 'user' : undefined,
  }),
  foreignAuthorization: policy => ({
    route: policy.isForeignPath('hello', '/data')
      ? 'foreign path'
      : 'protected',
    authorization: 'basic',
    cookie: 'user',
  }),
  'cookie.trustedOrigins': ({ isCrossSite }) => ({
    cookie: 'user',
    isCrossSite: isCrossSite({
      method: 'POST',
      headers: { origin: PORTAL },
    } as IncomingMessage),
  }),
  'cookie.trustedPaths': policy => ({
    cookie: 'user',
    isCode: true,
    isTrusted: policy.isTrustedPath('hello', '/data'),
  }),
};

describe('[P103] by the proof’s reference', () => {
  const passes = (settings: string, config: JsonObject) => {
    const read = readApiGateConfig(new ConfigReader(configOf(config)));
    const [, key] = settings.match(/^auth\.apiGate\.\{?([\w.]+)/)!;
    const state = REQUESTS[key](new ConfiguredPolicy(read));
    return judge({ ...PLAIN, ...state }).outcome !== 'refused';
  };

  it.each(named(JUDGED))(
    'a request passes under the wider value alone: %s',
    (_, { settings, narrow, wide }) => {
      expect(passes(settings, wide)).toBe(true);
      expect(passes(settings, narrow)).toBe(false);
    },
  );
});

describe('[P103] by api-gate check', () => {
  it.each(named(OF_COMMANDS))(
    'a configuration passes with the wider value alone: %s',
    async (_, { narrow, wide }) => {
      const codeOf = async (settings: JsonObject) => {
        const auth = { apiGate: { allow: [RULE] } };
        const cwd = folderWith({ 'a.yaml': yamlOf(merge({ auth }, settings)) });
        const args = ['--config', 'a.yaml', '--fail-on', 'findings'];
        return (await runCliIn(['check', ...args], { cwd })).code;
      };
      expect(await codeOf(wide)).toBe(0);
      expect(await codeOf(narrow)).toBe(1);
    },
  );
});
