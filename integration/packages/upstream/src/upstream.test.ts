import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import {
  readDocument,
  root,
} from '../../../../src/__tests__/__testUtils__/documents';
import { KEYS } from '../../../../src/__tests__/__testUtils__/requestParts';
import { barrierPathsFor } from '../../../../src/settings/rules/commonPrefixes';
import {
  ACCESS,
  backends,
  Kind,
  METHODS,
  Outcomes,
  outcomesOf,
  REQUESTS,
  RULES,
  SceneOptions,
  SIGN_OUT,
  withStatus,
} from './scene';
import {
  allowRulesBySeam,
  gateBySeam,
  PATCHED,
  policy,
  uninstalledPluginAuthBySeam,
} from './trials';

// Each table has some two thousand requests.
jest.setTimeout(120_000);

afterEach(backends.stopAll);

/** Returns the numbers of a sentence of the page. */
const onPage = (sentence: RegExp) =>
  readDocument('docs/upstream.md')
    .text.replace(/\s+/g, ' ')
    .match(sentence)
    ?.slice(1)
    .map(Number);

it('docs/upstream.md has the lines that the patch adds and removes', () => {
  const name = 'node_modules/@backstage/backend-defaults';
  const { stdout } = spawnSync(
    'git',
    ['diff', '--no-index', '--numstat', join(root, name), name],
    { encoding: 'utf8' },
  );
  const files = stdout.trim().split('\n');
  const linesOf = (isOfSeam: (file: string) => boolean) =>
    files
      .filter(isOfSeam)
      .map(file => file.split('\t').map(Number))
      .reduce(([a, b], [added, removed]) => [a + added, b + removed], [0, 0]);
  const isOfRouter = (file: string) => file.includes('httpRouter');
  expect(onPage(/first adds (\d+) lines and removes (\d+)/)).toEqual(
    linesOf(file => !isOfRouter(file)),
  );
  expect(onPage(/second adds (\d+) and removes (\d+)/)).toEqual(
    linesOf(isOfRouter),
  );
});

const isByNobody = (each: string) => each.endsWith(' by nobody');

describe('seams that nobody uses', () => {
  it.each<[boolean, Kind[] | undefined]>([
    [false, undefined],
    [true, ['nobody', 'a user', 'a user, forged', 'a cookie of Backstage']],
  ])(
    'change no answer, with dangerouslyDisableDefaultAuthPolicy: %s',
    async (dangerouslyDisableDefaultAuthPolicy, kinds) => {
      const { externalAccess } = ACCESS.backend.auth;
      const auth = { externalAccess, dangerouslyDisableDefaultAuthPolicy };
      const outcomesWith = (features: SceneOptions['features']) =>
        outcomesOf(
          { withGate: false, config: { backend: { auth } }, features },
          REQUESTS,
          kind => kinds?.includes(kind) ?? true,
        );
      const stock = await outcomesWith([]);
      expect(await outcomesWith(PATCHED)).toEqual(stock);
      expect(withStatus(stock, 200).length).toBeGreaterThan(100);
      expect(withStatus(stock, 101).length).toBeGreaterThan(5);
    },
  );
});

describe('DefaultAuthService.create', () => {
  it('verifies tokens for plugins that are not installed as the gate does today', async () => {
    const requests = ['hello', 'absent', 'ABSENT', 'abs%65nt', 'other', '-']
      .flatMap(id => [`/api/${id}`, `/api/${id}/x`])
      .flatMap(target => METHODS.map(method => `${method} ${target}`));
    const today = await outcomesOf({}, requests);
    const created: string[] = [];
    const features = [...PATCHED, uninstalledPluginAuthBySeam(created)];
    expect(await outcomesOf({ features }, requests)).toEqual(today);
    expect(created).toContain('absent');
    expect(today).toMatchObject({
      'GET /api/absent/x by a plugin at absent': '404 ',
      'GET /api/other/x by a plugin at absent': '401 ',
      'GET /api/absent/x by an external token for absent': '404 ',
      'GET /api/other/x by an external token for absent': '403 ',
    });
  });
});

describe('authPolicyDeciderServiceRef', () => {
  let today: Outcomes;
  const withRules = (features: SceneOptions['features']) => ({
    apiGate: { allow: RULES },
    features,
  });
  beforeAll(async () => {
    today = await outcomesOf(withRules([]), REQUESTS);
  }, 120_000);

  // A WebSocket handler gets the credentials of a rule's request from the gate today, and from Backstage none.
  const withoutOptional = (outcomes: Outcomes) =>
    Object.fromEntries(
      Object.entries(outcomes).map(([key, outcome]) => [
        key,
        key.startsWith('WEBSOCKET /api/sockets/ruled')
          ? outcome.replace(/^101 .*/, '101')
          : outcome,
      ]),
    );

  it('opens at the stock barrier what the rules name and nothing else, without the gate', async () => {
    const declared: unknown[] = [];
    const open = { path: '/open', allow: 'unauthenticated' };
    const outcomes = await outcomesOf(
      { withGate: false, features: [...PATCHED, allowRulesBySeam(declared)] },
      REQUESTS,
      kind => kind !== 'a cookie of Backstage',
    );
    expect(withoutOptional(today)).toMatchObject(withoutOptional(outcomes));
    expect(declared).toEqual(
      expect.arrayContaining([
        { pluginId: 'hello', ...open, isWebSocket: false },
        { pluginId: 'sockets', ...open, isWebSocket: true },
      ]),
    );
    const opened = withStatus(outcomes, 200).filter(isByNobody);
    expect(opened).toEqual(
      [
        ...['GET', 'HEAD'].flatMap(method =>
          ['public', 'public?x', 'tree/a', 'tree/a/b', 'item/1/badge'].map(
            path => `${method} /api/hello/${path}`,
          ),
        ),
        'POST /api/hello/hook',
        'DELETE /api/hello/tree/a',
        'DELETE /api/hello/tree/a/b',
        // Backstage serves the keys in front of the barrier.
        `GET /api/hello${KEYS}`,
      ].map(each => `${each} by nobody`),
    );
  });

  it('carries out what the gate decides, without addAuthPolicy and without an httpRouter of the gate', async () => {
    const features = [...PATCHED, gateBySeam];
    expect(
      withoutOptional(await outcomesOf(withRules(features), REQUESTS)),
    ).toEqual(withoutOptional(today));
    const isNobody = (kind: Kind) => kind === 'nobody';
    expect(await outcomesOf(withRules(features), [SIGN_OUT], isNobody)).toEqual(
      await outcomesOf(withRules([]), [SIGN_OUT], isNobody),
    );
  });

  it('opens less than addAuthPolicy does, by which the gate opens the barrier today', async () => {
    const policies = barrierPathsFor('hello', policy.openRules).map(path => ({
      path,
      allow: 'unauthenticated' as const,
    }));
    const byPrefixes = await outcomesOf(
      { withGate: false, policies },
      REQUESTS,
      kind => kind === 'nobody',
    );
    const byPlugin = (each: string) => /\/open\b/i.test(each);
    const namedByNone = withStatus(byPrefixes, 200).filter(
      each => !byPlugin(each) && !withStatus(today, 200).includes(each),
    );
    expect(namedByNone).toContain('DELETE /api/hello/public/below by nobody');
    const all = Object.keys(byPrefixes).length;
    expect(onPage(/open (\d+) of (\d+)/)).toEqual([namedByNone.length, all]);
  });
});
