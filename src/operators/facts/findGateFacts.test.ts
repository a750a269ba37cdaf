import { createPolicy } from '../../__tests__/__testUtils__/createPolicy';
import { DeclaredPolicies } from '../../gate/plugins/DeclaredPolicies';
import { Plugins } from '../../gate/plugins/Plugins';
import type { ApiGateConfig } from '../../settings/read/readApiGateConfig';
import { formatFacts } from './Fact';
import { findGateFacts } from './findGateFacts';

const router = { addAuthPolicy() {}, addWebSocketHandler() {}, use() {} };

const END = Date.parse('2099-01-01');
const ENDED = Date.parse('2020-01-01');

const rule = (path: string, methods: string[], until?: number) => ({
  ...{ plugin: 'hello', path, methods, until },
});
const ALL = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** Returns the facts of a backend whose plugin `hello` declares `paths` open. */
function factsOf(settings: Partial<ApiGateConfig>, ...paths: string[]) {
  const policies = new DeclaredPolicies();
  const plugins = new Plugins(['auth', 'hello', 'own'], policies, 0);
  const hello = policies.watch('hello', router);
  for (const path of paths) {
    hello.addAuthPolicy({ path, allow: 'unauthenticated' });
  }
  const policy = createPolicy(settings);
  const source = { lists: [] };
  return formatFacts(findGateFacts({ plugins, policies, policy, source }));
}

it.each<[string, Partial<ApiGateConfig>, string]>([
  ['no rule', {}, 'everybody  closed by the gate, except for what rules name'],
  [
    'no rule, in report-only',
    { mode: 'report-only' },
    'everybody  closed by the gate once it enforces, except for what rules name',
  ],
  [
    'rules for a part of it',
    { allow: [rule('/ping', ALL), rule('/ping/**', ['GET'])] },
    'everybody  closed by the gate, except for what rules name',
  ],
  [
    'rules for all of it',
    { allow: [rule('/ping', ALL), rule('/ping/**', ALL)] },
    'everybody  opened by rules',
  ],
  [
    'rules for all of it, of which one ends',
    { allow: [rule('/ping', ALL, END), rule('/ping/**', ALL)] },
    'everybody  until 2099-01-01T00:00:00.000Z  opened by rules',
  ],
  [
    'rules for all of it, of which one has ended',
    { allow: [rule('/ping', ALL, ENDED), rule('/ping/**', ALL)] },
    'everybody  closed by the gate, except for what rules name',
  ],
])(
  'says what becomes of what a plugin declares open: %s',
  (_, settings, is) => {
    expect(
      factsOf(settings, '/ping').filter(line => line.startsWith('declared')),
    ).toEqual([`declared open   any   /api/hello/ping and /ping/**  ${is}`]);
  },
);

it('lists what rules open that the plugin has not opened, as long as nothing is enforced', () => {
  const allow = [
    rule('/ping/x', ['GET']),
    rule('/closed', ['GET', 'HEAD', 'WEBSOCKET'], END),
    { ...rule('/x', ['GET']), plugin: 'absent' },
  ];
  const newlyPublic = (mode: ApiGateConfig['mode']) =>
    factsOf({ allow, mode }, '/ping').filter(line => line.startsWith('newly'));
  const end = 'once it enforces  until 2099-01-01T00:00:00.000Z';
  expect(newlyPublic('report-only')).toEqual([
    `newly public    GET   /api/hello/closed  ${end}`,
    `newly public    WEBSOCKET  /api/hello/closed  ${end}`,
  ]);
  expect(newlyPublic('enforce')).toEqual([]);
});
