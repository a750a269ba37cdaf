import { ConfigReader } from '@backstage/config';
import { AuthenticationError, NotAllowedError } from '@backstage/errors';
import { accessWith, staticToken } from '../__testUtils__/externalAccess';
import { CachingHttpAuth } from '../credentials/CachingHttpAuth';
import { PublicReaders } from './PublicReaders';

const TOKEN = 'token-of-the-reader';
const config = new ConfigReader(accessWith(staticToken(TOKEN, 'reader')));
const RULE = { plugin: 'hello', path: '/read', methods: ['GET'], as: 'reader' };
const WITHOUT = { plugin: 'hello', path: '/open', methods: ['GET'] };

const readers = new PublicReaders(config, [WITHOUT, RULE]);
const none = new PublicReaders(config, [WITHOUT]);

const notAllowed = async () => {
  throw new NotAllowedError('restricted');
};

/** Has a plugin check its readers, with Backstage's answers about the token. */
function check({
  readers: checked = readers,
  pluginId = 'hello',
  authenticate = async (_token: string): Promise<object> => ({
    principal: { subject: 'reader' },
  }),
  getPluginRequestToken = notAllowed as (options: object) => Promise<object>,
  httpAuth = Object.create(CachingHttpAuth.prototype),
} = {}) {
  const auth = { authenticate, getPluginRequestToken } as never;
  return checked.assertUsable(pluginId, { auth, httpAuth });
}

describe('PublicReaders', () => {
  it('has the token of a rule with `as`, and of no other', () => {
    expect(readers.tokenFor(RULE)).toBe(TOKEN);
    expect(readers.tokenFor(WITHOUT)).toBeUndefined();
    expect(readers.tokenFor({ ...RULE, path: '/added' })).toBeUndefined();
    expect([readers.isEmpty, none.isEmpty]).toEqual([false, true]);
    expect([TOKEN, 'another'].map(each => readers.has(each))).toEqual([
      true,
      false,
    ]);
    expect(['reader', 'ci'].map(each => readers.hasSubject(each))).toEqual([
      true,
      false,
    ]);
    expect(none.has(TOKEN) || none.hasSubject('reader')).toBe(false);
  });

  it('needs the plugin of a rule with `as`, and names that rule', () => {
    readers.assertInstalled(id => id === 'hello');
    none.assertInstalled(() => false);
    expect(() => readers.assertInstalled(() => false)).toThrow(
      'auth.apiGate.allow[1].as needs the plugin hello in this backend: set it in the backend that has the plugin',
    );
  });

  it('accepts a token that reads as configured, and that no handler can delegate', async () => {
    const authenticate = jest.fn(async () => ({
      principal: { subject: 'reader' },
    }));
    const getPluginRequestToken = jest.fn(notAllowed);
    await check({ authenticate, getPluginRequestToken });
    expect(authenticate.mock.calls).toEqual([[TOKEN]]);
    expect(getPluginRequestToken.mock.calls).toEqual([
      [
        {
          onBehalfOf: { principal: { subject: 'reader' } },
          targetPluginId: 'api-gate-other-plugin',
        },
      ],
    ]);
  });

  it('checks the readers of one plugin only', async () => {
    const authenticate = jest.fn();
    await check({ authenticate, pluginId: 'other' });
    await check({ authenticate, readers: none, httpAuth: {} });
    expect(authenticate).not.toHaveBeenCalled();
  });

  const delegated = async () => ({ token: 'delegated' });
  const failed = async () => {
    throw new AuthenticationError('failed');
  };
  const other = async () => ({ principal: { subject: 'other' } });
  it.each([
    [
      'needs the httpAuth service of the gate, and this backend has its own for the plugin hello: remove that service, or as',
      { httpAuth: {} },
    ],
    [
      'names the token of reader, and another entry of backend.auth.externalAccess has the same token: give each entry a token of its own',
      { authenticate: other },
    ],
    ['names the token of reader, and another', { authenticate: failed }],
    [
      "needs backend-defaults 0.17.8 or later, where a restricted token can't be delegated to other plugins: update Backstage, or remove as",
      { getPluginRequestToken: delegated },
    ],
    ['needs backend-defaults 0.17.8', { getPluginRequestToken: failed }],
  ])('refuses another token: %s', async (message, answers) => {
    await expect(check(answers)).rejects.toThrow(
      `auth.apiGate.allow (GET /api/hello/read).as ${message}`,
    );
  });
});
