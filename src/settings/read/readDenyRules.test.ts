import { ConfigReader } from '@backstage/config';
import { InputError } from '@backstage/errors';
import type { JsonValue } from '@backstage/types';
import { readDenyRules } from './readDenyRules';

const CONFIG = new ConfigReader({
  backend: {
    auth: {
      externalAccess: [
        { type: 'static', options: { token: 'x'.repeat(8), subject: 'ci' } },
        { type: 'jwks', options: { url: 'https://a', subjectPrefix: 'b' } },
      ],
    },
  },
});

const read = (deny: JsonValue | undefined, isLegacy = false) =>
  readDenyRules(deny, 'auth.apiGate.deny', CONFIG, isLegacy);
const rule = { plugin: 'argocd', path: '/**' };

it('[P115] reads what is denied, and to whom', () => {
  expect(read(undefined)).toEqual([]);
  expect(
    read([
      rule,
      {
        plugin: 'a-b',
        path: '/X/y',
        methods: ['POST', 'WEBSOCKET', 'POST'],
        for: ['users', 'plugins'],
        except: [
          'Group:default/SRE',
          'user:default/jane',
          'ci',
          'external:b:c',
        ],
        until: '2027-01-31',
        reason: 'no check',
      },
    ]),
  ).toEqual([
    { ...rule, methods: ['*'], for: ['users', 'tokens'], except: [] },
    {
      plugin: 'a-b',
      path: '/X/y',
      methods: ['POST', 'WEBSOCKET'],
      for: ['users', 'plugins'],
      except: ['group:default/sre', 'user:default/jane', 'ci', 'external:b:c'],
      until: Date.UTC(2027, 0, 31),
      reason: 'no check',
    },
  ]);
});

it.each<[rule: JsonValue, message: string]>([
  [
    '/x',
    ' must be an object with the keys plugin, path, methods, until, reason, for, except',
  ],
  [
    { ...rule, user: 'x' },
    '.user is not known: use plugin, path, methods, until, reason, for, except',
  ],
  [
    { path: '/**' },
    '.plugin must be one plugin id in lower case, such as catalog',
  ],
  [
    { ...rule, plugin: '*' },
    '.plugin must be one plugin id in lower case, such as catalog',
  ],
  [
    { plugin: 'a' },
    '.path must be text that starts with a slash, relative to the plugin, such as /health',
  ],
  [
    { plugin: 'auth', path: '/api-gate/**' },
    '.plugin must not be auth: the routes of auth are for signing in',
  ],
  [
    { plugin: 'app', path: '/**' },
    '.plugin must not be app: the routes of auth are for signing in, and app is served at / as well',
  ],
  [
    { ...rule, path: '/a/*/b' },
    '.path may have a wildcard only as a trailing /**',
  ],
  [{ ...rule, path: '/a/' }, '.path must not end with a slash: write /a'],
  [{ ...rule, path: '/a/:id' }, '.path may hold only letters, digits'],
  [
    { ...rule, path: '/.Backstage/auth/v1/cookie' },
    '.path is where cookies are issued, and no rule can name it: remove the rule',
  ],
  ...['/.backstage/auth/v1/JWKS.json', '/.backstage/auth/v1/jwks.json/**'].map(
    (path): [object, string] => [
      { ...rule, path },
      '.path is that of the keys that verify tokens, and no rule can name it: remove the rule',
    ],
  ),
  [{ ...rule, methods: [] }, '.methods must be a list of methods'],
  [{ ...rule, methods: '' }, '.methods must be a list of methods'],
  [
    { ...rule, methods: ['post'] },
    '.methods[0] must be a method that a rule can name, such as GET or POST (did you mean POST?)',
  ],
  [
    { ...rule, methods: ['*'] },
    '.methods[0] must be a method that a rule can name',
  ],
  [
    { ...rule, for: [] },
    '.for must be a list of users, tokens, plugins; leave it out for [users, tokens]',
  ],
  [{ ...rule, for: 'users' }, '.for must be a list of users, tokens, plugins'],
  [{ ...rule, for: ['user'] }, '.for[0] must be one of users, tokens, plugins'],
  [
    { ...rule, except: 'ci' },
    '.except must be a list of texts: begin each entry with "- ", in a line of its own',
  ],
  ...[
    'sre',
    'group:sre',
    'user:default',
    'CI',
    'plugin:search',
    'external:b:',
    'external:b:*',
  ].map((each): [JsonValue, string] => [
    { ...rule, except: [each] },
    '.except[0] must be a user or a group in full, such as group:default/sre, or the subject of an entry of backend.auth.externalAccess',
  ]),
  [{ ...rule, until: 'soon' }, '.until must be a date such as 2026-12-31'],
  [{ ...rule, reason: 1 }, '.reason must be text that says why this is denied'],
])('[P115] refuses %j', (item, message) => {
  const act = () => read([item]);
  expect(act).toThrow(InputError);
  expect(act).toThrow(`auth.apiGate.deny[0]${message}`);
});

it('[P115] refuses what is no list, and tokens on the legacy backend system', () => {
  expect(() => read(rule)).toThrow(
    'auth.apiGate.deny must be a list of rules, each with a plugin and a path: begin each entry with "- ", in a line of its own',
  );
  expect(() => read([rule], true)).toThrow(
    'auth.apiGate.deny[0].for must be [users] on the legacy backend system, where all service tokens have the same subject',
  );
  expect(read([{ ...rule, for: ['users'] }], true)).toHaveLength(1);
});
